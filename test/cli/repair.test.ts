import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog, LogStore } from "../../src/index.js";
import { cut, extend, flipBit, snapshotOf } from "../support/damage.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

describe("repair in place", () => {
  it("has nothing to do for a sound log or store", async () => {
    expect((await seglog(await withLog(), ["repair", "events"])).out).toBe(
      "events: nothing to repair\n",
    );
    expect(await seglog(await withStore(), ["repair", "store"])).toMatchObject({
      code: 0,
      out: "store: nothing to repair\n",
    });
  });

  it("says first what it would do, then does it", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    extend(segmentPath(events, 40), Buffer.from("torn"));
    rmSync(segmentPath(events, 0, "offsetIndex"));
    const before = snapshotOf(events);
    const plan = await seglog(cwd, ["repair", "--dry-run", "events"]);
    expect(plan.code).toBe(0);
    expect(plan.out).toMatchInlineSnapshot(`
      "would recover the log: cut a torn tail of 4 bytes behind offset 60, keeping a copy, and close it cleanly
      would rebuild the indexes of the segments 0
      "
    `);
    expect(snapshotOf(events)).toEqual(before);
    const done = await seglog(cwd, ["repair", "events"]);
    expect(done).toMatchObject({ code: 0, err: "" });
    expect(done.out).toMatchInlineSnapshot(`
      "events: recovered up to offset 60, cut 4 bytes (the file ends inside a block header; kept in events/00000000000000000040.log.cut-1332-1)
      events: rebuilt the indexes of segment 0
      "
    `);
    expect((await seglog(cwd, ["verify", "events"])).out).toMatch(/\nsound\n$/);
    expect((await seglog(cwd, ["repair", "events"])).out).toBe("events: nothing to repair\n");
  });

  it("repairs the logs and the checkpoint of a store", async () => {
    const cwd = await withStore();
    const store = join(cwd, "store");
    cut(join(store, "committed-offsets"), -3);
    extend(join(store, "logs/orders/00000000000000000000.log"), Buffer.from("torn"));
    const plan = await seglog(cwd, ["repair", "--dry-run", "store"]);
    expect(plan.out).toMatchInlineSnapshot(`
      "would recover the log of key "orders": cut a torn tail of 4 bytes behind offset 12, keeping a copy, and close it cleanly
      would rewrite committed-offsets from its last valid state, keeping a copy (the file ends inside a frame)
      "
    `);
    expect((await seglog(cwd, ["repair", "store"])).code).toBe(0);
    expect((await seglog(cwd, ["verify", "store"])).out).toMatch(/\nsound\n$/);
    expect((await seglog(cwd, ["repair", "store"])).out).toBe("store: nothing to repair\n");
  });

  it("changes nothing where records are damaged", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    flipBit(segmentPath(events, 20), blocksOf(events, 20)[0]!.position + 99);
    rmSync(segmentPath(events, 0, "offsetIndex"));
    const before = snapshotOf(events);
    const { code, out } = await seglog(cwd, ["repair", "events"]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "damage   00000000000000000020.log at 80: the block's checksum does not match (503 bytes up to the next valid block); offsets 20 to 28 cannot be read
      Damaged records cannot be repaired in place; nothing was changed.
      To copy everything readable to a new directory: seglog repair events --salvage <new-dir>
      "
    `);
    expect(snapshotOf(events)).toEqual(before);
  });

  it("waits for no writer", async () => {
    const cwd = await withLog();
    rmSync(segmentPath(join(cwd, "events"), 0, "offsetIndex"));
    const log = await CommitLog.open(join(cwd, "events"));
    const { code, err } = await seglog(cwd, ["repair", "events"]);
    expect(code).toBe(2);
    expect(err).toMatch(
      /LOCKED: events is open for writing in process <pid>\. Wait for it, or stop/,
    );
    expect((await seglog(cwd, ["repair", "events", "--dry-run"])).out).toMatch(
      /must be closed first/,
    );
    await log.close();
  });
});

describe("repair --salvage", () => {
  it("saves what is around damage", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    const block = blocksOf(events, 20)[1]!;
    flipBit(segmentPath(events, 20), block.position + 99);
    const before = snapshotOf(events);
    const plan = await seglog(cwd, ["repair", "events", "--salvage", "new", "--dry-run"]);
    expect(plan.code).toBe(0);
    expect(existsSync(join(cwd, "new"))).toBe(false);
    const { code, out } = await seglog(cwd, ["repair", "events", "--salvage", "new"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "events: saved 59 records, start offset 0, end offset 60
        offset 29 lost
      new: verified, sound. events is unchanged.
      "
    `);
    expect(plan.out).toBe(out.replace("saved", "would save").replace(/new: .*\n/, ""));
    expect(snapshotOf(events)).toEqual(before);
    const offsets = (await seglog(cwd, ["cat", "new", "--format", "hex"])).out
      .split("\n")
      .map((line) => line.split(" ")[0]);
    const damaged = await seglog(cwd, ["cat", "events", "--format", "hex"]);
    expect(damaged.code).toBe(1);
    expect(damaged.err).toMatch(/^seglog: CORRUPTION: .*\nseglog: skipped positions \d+ to \d+ of/);
    expect(damaged.out.split("\n").map((line) => line.split(" ")[0])).toEqual(offsets);
    const point = await seglog(cwd, ["cat", "new", "--from", String(block.baseOffset), "-n", "1"]);
    expect(point.out).toMatch(new RegExp(`^event ${block.lastOffset + 1} `));
  });

  it("saves a store with its committed offsets", async () => {
    const cwd = await withStore();
    const store = join(cwd, "store");
    flipBit(join(store, "store.meta"), 30);
    flipBit(join(store, "logs/orders/00000000000000000000.log"), 120);
    const { code, out, err } = await seglog(cwd, ["repair", "store", "--salvage", "new"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "evil\\x1b[31mred\\u{202e}\\u{200b}\\x7f\\u{85}: saved 1 record, start offset 0, end offset 1
      orders: saved 0 records, start offset 12, end offset 12
        offsets 0 to 11 lost
      päyments: saved 5 records, start offset 0, end offset 5
      new: verified, sound. store is unchanged.
      "
    `);
    await using saved = await LogStore.open(join(cwd, "new"));
    expect(await saved.group("billing").committed()).toEqual(
      new Map([
        ["orders", 10],
        ["päyments", 5],
      ]),
    );
    expect(await saved.bounds("orders")).toEqual({ startOffset: 12, endOffset: 12 });
    expect(await saved.append("orders", "next")).toBe(12);
  });

  it("refuses a directory that is not empty", async () => {
    const cwd = await withLog();
    writeFileSync(join(cwd, "file"), "");
    const { code, err } = await seglog(cwd, ["repair", "events", "--salvage", "../"]);
    expect([code, err]).toEqual([2, expect.stringMatching(/is not empty/)]);
    expect(readdirSync(cwd)).toEqual(["events", "file"]);
  });
});
