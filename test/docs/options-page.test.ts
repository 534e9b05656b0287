import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${ROOT}/docs/options.md`, "utf8");
const source = readFileSync(`${ROOT}/src/log/options.ts`, "utf8");

describe("docs/options.md", () => {
  it("has a heading and a row for each option", () => {
    const list = /Set<keyof LogOptions>\(\[([^\]]*)\]/.exec(source)?.[1] ?? "";
    const options = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name!);
    expect(options).toContain("durability");
    // Options of the doors, not of the log.
    const all = [...options, "readOnly", "maxOpenFiles"].sort();
    expect([...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name).sort()).toEqual(all);
    expect([...page.matchAll(/^\| \[`(\w+)`\]/gm)].map(([, name]) => name).sort()).toEqual(all);
  });
});
