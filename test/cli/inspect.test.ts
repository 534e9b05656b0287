import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cut, flipBit } from "../support/damage.js";
import { segmentPath } from "../support/log-builder.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

describe("inspect", () => {
  it("shows a log", async () => {
    const cwd = await withLog();
    const { code, out, err } = await seglog(cwd, ["inspect", "events"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "log events
        id       <id>, epoch 0
        offsets  start 0, end 60
        size     3.9 KiB
        state    closed cleanly

      base  end  records  bytes  ratio  from                      to                        index  state
         0   20       20   1322   1.00  2020-09-13T12:26:40.000Z  2020-09-13T12:26:59.000Z      4  sealed
        20   40       20   1332   1.00  2020-09-13T12:27:00.000Z  2020-09-13T12:27:19.000Z      4  sealed
        40   60       20   1332   1.00  2020-09-13T12:27:20.000Z  2020-09-13T12:27:39.000Z      4  active
      "
    `);
  });

  it("shows it as JSON", async () => {
    const cwd = await withLog();
    const { bytes } = await seglog(cwd, ["inspect", "events", "--json"]);
    const log = JSON.parse(bytes.toString());
    expect(log).toMatchObject({
      kind: "log",
      directory: "events",
      epoch: 0,
      startOffset: 0,
      endOffset: 60,
      state: "closed cleanly",
      damage: [],
    });
    expect(log.segments).toHaveLength(3);
    expect(log.segments[0]).toMatchObject({
      baseOffset: 0,
      endOffset: 20,
      records: 20,
      batches: 2,
    });
  });

  it("shows a store and its keys, escaped", async () => {
    const cwd = await withStore();
    const { code, out } = await seglog(cwd, ["inspect", "store"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "store store
        id       <id>
        created  <time>
        total    3 keys, 18 offsets, 906 B

      key                                        start  end  segments  bytes  state
      evil\\x1b[31mred\\u{202e}\\u{200b}\\x7f\\u{85}      0    1         1    193  ok
      orders                                         0   12         1    428  ok
      päyments                                       0    5         1    285  ok
      "
    `);
    const raw = await seglog(cwd, ["inspect", "store", "--raw"]);
    expect(raw.out).toContain("\u001b[31mred");
    const { bytes } = await seglog(cwd, ["inspect", "store", "--json"]);
    const keys = JSON.parse(bytes.toString()).keys.map(({ key }: { key: string }) => key);
    expect(keys).toContain("evil\u001b[31mred\u202e\u200b\u007f\u0085");
    expect((await seglog(cwd, ["inspect", "store", "-k", "orders"])).out).toMatch(
      /^log store\/logs\/orders\n(.*\n)*.*belongs to a store/,
    );
  });

  it("shows what is left of a damaged log, and says so", async () => {
    const cwd = await withLog();
    const events = join(cwd, "events");
    flipBit(segmentPath(events, 20), 45);
    rmSync(segmentPath(events, 0, "timeIndex"));
    writeFileSync(join(events, "log.meta.tmp"), "");
    const { code, out } = await seglog(cwd, ["inspect", "events"]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "log events
        id       <id>, epoch 0
        offsets  start 0, end 60
        size     3.9 KiB
        state    damaged
        damage   00000000000000000020.log: the segment header's checksum does not match
        left     log.meta.tmp, of an interrupted operation

      base  end  records  bytes  ratio  from                      to                        index  state
         0   20       20   1322   1.00  2020-09-13T12:26:40.000Z  2020-09-13T12:26:59.000Z   none  sealed
        20   40        ?   1332      -  -                         -                          none  damaged
        40   60       20   1332   1.00  2020-09-13T12:27:20.000Z  2020-09-13T12:27:39.000Z      4  active
      "
    `);
  });

  it.each([
    ["its metadata", (events: string) => flipBit(join(events, "log.meta"), 50)],
    ["a segment", (events: string) => rmSync(segmentPath(events, 20))],
    ["its first segment", (events: string) => rmSync(segmentPath(events, 0))],
    ["its end", (events: string) => cut(segmentPath(events, 40), -5)],
  ])("tells of a log that has lost %s", async (_what, harm) => {
    const cwd = await withLog();
    harm(join(cwd, "events"));
    const { code, out, err } = await seglog(cwd, ["inspect", "events"]);
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(/\n {2}state {4}damaged\n {2}damage {3}\S/);
  });

  it("shows the sound keys beside a damaged one", async () => {
    const cwd = await withStore();
    flipBit(join(cwd, "store/logs/orders/log.meta"), 30);
    flipBit(join(cwd, "store/store.meta"), 30);
    const { code, out } = await seglog(cwd, ["inspect", "store"]);
    expect(code).toBe(1);
    expect(out).toMatch(/\n {2}damage {3}store\.meta at 0: the store metadata's checksum does not/);
    expect(out).toMatch(/\norders +\? +\? +1 +\d+ +damaged\n/);
    expect(out).toMatch(/\npäyments +0 +5 +1 +\d+ +ok\n/);
  });
});
