import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { flipBit } from "../support/damage.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { seglog } from "./program.js";

const GOLDEN = fileURLToPath(new URL("../../fixtures/golden/v0/room-log/log", import.meta.url));
const NEWEST = "00000000000000000025.log";

/** A directory with a log `log` whose writer was killed, with zeros behind its end. */
function withRoom(): string {
  const cwd = temporaryDirectory();
  cpSync(GOLDEN, join(cwd, "log"), { recursive: true });
  return cwd;
}

it("verify finds nothing wrong with room", async () => {
  const { code, out } = await seglog(withRoom(), ["verify", "log"]);
  expect(code).toBe(0);
  expect(out).not.toMatch(/torn|damage/i);
});

it("inspect counts the records before room", async () => {
  const { code, out } = await seglog(withRoom(), ["inspect", "log", "--json"]);
  expect(code).toBe(0);
  const { endOffset, segments } = JSON.parse(out);
  expect(endOffset).toBe(30);
  expect(segments.at(-1)).toMatchObject({ records: 5, endOffset: 30 });
});

it("dump says where room begins, and calls it valid", async () => {
  const cwd = withRoom();
  const newest = await seglog(cwd, ["dump", `log/${NEWEST}`]);
  expect(newest.code).toBe(0);
  expect(newest.out).toMatch(
    /\n\d+: \d+ zeros, room for more\n\d+: end, 5 blocks, 5 records, all valid\n$/,
  );
});

it("cat around damage does not call room a place that it skipped", async () => {
  const cwd = withRoom();
  flipBit(join(cwd, "log", NEWEST), 300);
  const { code, out, err } = await seglog(cwd, ["cat", "log", "--format", "raw"]);
  expect(code).toBe(1);
  expect(out.split("record ").length - 1).toBe(29);
  expect(err.match(/skipped/g)).toHaveLength(1);
});

it("repair closes a log that has room, and cuts nothing", async () => {
  const cwd = withRoom();
  const { code, out } = await seglog(cwd, ["repair", "log"]);
  expect(code).toBe(0);
  expect(out).not.toMatch(/torn/);
  const { out: state } = await seglog(cwd, ["inspect", "log"]);
  expect(state).toContain("closed cleanly");
  expect(state).not.toContain("cut off");
});
