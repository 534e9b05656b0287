import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { resolveLimits } from "../../src/server/limits.js";
import { ServerMetrics } from "../../src/server/metrics.js";
import { openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${ROOT}/docs/server.md`, "utf8");

/** The names in the first column of the table under a heading. */
function rowsUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!).sort();
}

describe("docs/server.md", () => {
  it("has a row for each option", () => {
    const source = readFileSync(`${ROOT}/src/server/serve-options.ts`, "utf8");
    const list = /Set<keyof ServeOptions>\(\[([^\]]*)\]/.exec(source)?.[1] ?? "";
    const options = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name!).sort();
    expect(options).toContain("directory");
    expect(rowsUnder("Options")).toEqual(options);
  });

  it("has a row for each limit", () => {
    expect(rowsUnder("Limits")).toEqual(Object.keys(resolveLimits()).sort());
  });

  it("has a row for each metric, with its type", async () => {
    const metrics = new ServerMetrics();
    const store = await openStore(newPath());
    metrics.watch({
      store,
      maxLagSeries: 1,
      connections: () => 0,
      bytesInFlight: () => 0,
      responseBytesInFlight: () => 0,
    });
    const types = [...(await metrics.text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)];
    const rows = types.map(([, name, type]) => `| \`${name}\` | ${type} |`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
    expect(rowsUnder("Metrics")).toEqual(types.map(([, name]) => name).sort());
  });
});
