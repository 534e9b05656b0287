import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog } from "../../src/index.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

describe("trim", () => {
  it("moves the start and deletes whole segments", async () => {
    const cwd = await withLog();
    const { code, out } = await seglog(cwd, ["trim", "events", "--before", "45"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^events: start offset 0 -> 45; 2 segments deleted, 2\.\d KiB freed\n$/);
    const data = readdirSync(join(cwd, "events")).filter((name) => name.endsWith(".log"));
    expect(data).toEqual(["00000000000000000040.log"]);
    expect((await seglog(cwd, ["cat", "events", "-n", "1"])).out).toMatch(/^event 45 /);
    expect((await seglog(cwd, ["verify", "events"])).out).toMatch(/\nsound\n$/);
  });

  it("changes nothing at or below the start", async () => {
    const cwd = await withLog();
    expect((await seglog(cwd, ["trim", "events", "--before", "0"])).out).toBe(
      "events: start offset stays 0; 0 segments deleted, 0 B freed\n",
    );
  });

  it("trims a key of a store, never a store as a whole", async () => {
    const cwd = await withStore();
    expect((await seglog(cwd, ["trim", "store", "--before", "3"])).err).toMatch(/give a --key/);
    const { out } = await seglog(cwd, ["trim", "store", "--key", "orders", "--before", "3"]);
    expect(out).toMatch(/^store: start offset 0 -> 3;/);
  });

  it("refuses while another writer has the log", async () => {
    const cwd = await withLog();
    const log = await CommitLog.open(join(cwd, "events"));
    expect(await seglog(cwd, ["trim", "events", "--before", "3"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^seglog: LOCKED: events is open for writing in process <pid>/),
    });
    await log.close();
  });
});
