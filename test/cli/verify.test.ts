import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cut, extend, flipBit } from "../support/damage.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

const zeros = new Uint8Array(700);

describe("verify", () => {
  it("says that a log is sound", async () => {
    const cwd = await withLog();
    const { code, out, err } = await seglog(cwd, ["verify", "events"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "events: 3 segments, 60 records, 3.9 KiB, start offset 0, end offset 60
      sound
      "
    `);
  });

  it("says that a store is sound", async () => {
    const cwd = await withStore();
    const { code, out } = await seglog(cwd, ["verify", "store"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "store: 3 keys, 3 segments, 18 records, 906 B
      sound
      "
    `);
    expect((await seglog(cwd, ["verify", "store", "-k", "orders"])).out).toMatch(/12 records/);
  });

  it("says where a log is damaged, what that costs, and what to do", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    flipBit(segmentPath(events, 0), blocksOf(events, 0)[1]!.position + 90);
    rmSync(segmentPath(events, 20));
    const { code, out } = await seglog(cwd, ["verify", "events"]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "warning  00000000000000000020.index: an index without its data file, removed by the next writer
      warning  00000000000000000020.timeindex: an index without its data file, removed by the next writer
      damage   00000000000000000000.log at 574: the block's checksum does not match (122 bytes up to the next valid block); offset 9 cannot be read
      damage   00000000000000000040.log at 0: the segment before it (base offset 20) is missing; offsets 20 to 39 cannot be read
      events: 2 segments, 39 records, 2.6 KiB, start offset 0, end offset 60
      DAMAGED in 2 places, with 2 warnings
      To see what can be done: seglog repair --dry-run events
      "
    `);
    const json = JSON.parse((await seglog(cwd, ["verify", "events", "--json"])).bytes.toString());
    expect(json.sound).toBe(false);
    expect(json.findings).toContainEqual(
      expect.objectContaining({ level: "damage", lost: [20, 40], remedy: "salvage" }),
    );
  });

  it("takes a torn tail and lost indexes for what they are", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    extend(segmentPath(events, 40), Buffer.from("torn"));
    rmSync(segmentPath(events, 0, "offsetIndex"));
    cut(segmentPath(events, 20, "timeIndex"), 50);
    const { code, out } = await seglog(cwd, ["verify", "events"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "warning  00000000000000000000.index: it is missing; readers build it anew from the data
      warning  00000000000000000020.timeindex: the index header is cut short; readers build it anew from the data
      warning  00000000000000000040.log at 1332: torn tail: 4 bytes behind offset 60 belong to no complete batch (the file ends inside a block header). Recovery cuts them, keeping a copy, when the log is next opened for writing
      events: 3 segments, 60 records, 3.9 KiB, start offset 0, end offset 60
      sound, with 3 warnings
      "
    `);
  });

  it.each([
    ["store.meta", "store/store.meta", 20, 1],
    ["the checkpoint's header", "store/committed-offsets", 20, 1],
    ["a frame before others", "store/committed-offsets", 70, 1],
    ["a log's metadata", "store/logs/orders/log.meta", 20, 1],
  ] as const)("finds damage in %s", async (_what, file, position, code) => {
    const cwd = await withStore();
    flipBit(join(cwd, file), position);
    const run = await seglog(cwd, ["verify", "store"]);
    expect(run.out).toMatch(new RegExp(`^damage +${file.slice("store/".length)}`, "m"));
    expect(run.code).toBe(code);
  });

  it.each([
    ["is cut", (path: string) => cut(path, -3)],
    ["has zeros where data never reached the disk", (path: string) => extend(path, zeros)],
  ])("takes a checkpoint for torn that %s", async (_what, tear) => {
    const cwd = await withStore();
    tear(join(cwd, "store/committed-offsets"));
    const { code, out } = await seglog(cwd, ["verify", "store"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^warning +committed-offsets at \d+: the last \d+ bytes are not used/m);
  });

  it("finds a log of another store", async () => {
    const [one, other] = [await withStore(), await withStore()];
    const { renameSync } = await import("node:fs");
    renameSync(join(other, "store/logs/orders"), join(one, "store/logs/borrowed"));
    const { code, out } = await seglog(one, ["verify", "store"]);
    expect(code).toBe(1);
    expect(out).toMatch(/^damage +logs\/borrowed: the log belongs to another store/m);
  });

  it("cannot run where there is nothing", async () => {
    const cwd = await withLog();
    expect((await seglog(cwd, ["verify", "nothing"])).code).toBe(2);
    expect((await seglog(cwd, ["verify", "."])).code).toBe(2);
  });
});
