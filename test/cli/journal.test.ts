import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { LogStore } from "../../src/index.js";
import { textsIn } from "../store/stores.js";
import { extend, flipBit } from "../support/damage.js";
import { leaveJournaled } from "../support/journaled-store.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { seglog } from "./program.js";

const KEYS = ["a", "b"];
const LONG = "x".repeat(50_000);

/**
 * A store whose process was killed. The segments of `a` hold nothing, those of `b` five records:
 * the rest stands in the journal. A third key was deleted, a fourth cut.
 */
let cwd: string;
let store: string;
let journal: string;
beforeEach(async () => {
  cwd = temporaryDirectory();
  store = join(cwd, "store");
  journal = join(store, "logs", ".journal");
  await leaveJournaled(store, KEYS, {
    count: 4,
    // How long blocks are depends on the times of their records.
    now: () => Date.UTC(2026, 0, 1),
    use: async (open) => {
      // Too long for the journal: all before it goes to the segments.
      await open.append("b", LONG);
      await nextTurn();
      await open.appendBatch("b", ["b 5", { value: "b 6", key: "k", headers: { h: "v" } }]);
      for (const value of ["cut 0", "cut 1", "cut 2"]) await open.append("cut", value);
      await (await open.log("cut")).truncateTo(1);
      await open.deleteKey("warm-up");
      await open.group("readers").commit({ a: 4, b: 7 });
    },
  });
});

const expected = new Map([
  ["a", ["a 0", "a 1", "a 2", "a 3"]],
  ["b", ["b 0", "b 1", "b 2", "b 3", LONG, "b 5", "b 6"]],
  ["cut", ["cut 0"]],
]);

async function textsOf(directory: string): Promise<Map<string, string[]>> {
  await using open = await LogStore.open(directory, { readOnly: true });
  const texts = new Map<string, string[]>();
  for (const key of open.keys().sort()) texts.set(key, await textsIn(open, key));
  return texts;
}

/** Contents by paths, below a directory. */
function allFilesOf(directory: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path, readFileSync(path));
  }
  return files;
}

/** The journal's only data file. */
function journalFile(): string {
  return segmentPath(journal, 0);
}

describe("records that stand in the journal alone", () => {
  it("are printed by cat, and counted by offsets", async () => {
    const { code, out } = await seglog(cwd, ["cat", "store", "--key", "a"]);
    expect([code, out]).toEqual([0, "a 0\na 1\na 2\na 3\n"]);
    expect((await seglog(cwd, ["cat", "store/logs/b", "--from", "5"])).out).toBe("b 5\nb 6\n");
    expect((await seglog(cwd, ["offsets", "store"])).out).toMatchInlineSnapshot(`
      "group    key  committed  end  lag
      readers  a            4    4    0
      readers  b            7    7    0
      "
    `);
  });

  it("are counted by inspect", async () => {
    const { code, out, err } = await seglog(cwd, ["inspect", "store"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatchInlineSnapshot(`
      "store store
        id       <id>
        created  <time>
        total    3 keys, 12 offsets, 51.2 KiB
        journal  6 records that no segment of their keys has, 1.8 KiB

      key  start  end  segments  bytes  state
      a        0    4         1     80  ok
      b        0    7         1  50272  ok
      cut      0    1         2    249  ok
      "
    `);
    const { bytes } = await seglog(cwd, ["inspect", "store", "--json"]);
    expect(JSON.parse(bytes.toString())).toMatchObject({
      foreignNames: [],
      journal: { damage: null, segments: 1 },
      keys: [{ journaled: 4 }, { journaled: 2 }, { journaled: 0 }],
    });
    expect((await seglog(cwd, ["inspect", "store", "-k", "b"])).out).toMatch(
      /^ {2}journal {2}2 records of the store's journal behind the segments$/m,
    );
  });

  it("are verified", async () => {
    const { code, out } = await seglog(cwd, ["verify", "store"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "store: 3 keys, 5 segments, 12 records (6 of them in the journal alone), 51.2 KiB
      sound
      "
    `);
    const { bytes } = await seglog(cwd, ["verify", "store", "--json"]);
    expect(JSON.parse(bytes.toString())).toMatchObject({
      sound: true,
      keys: [
        { key: "a", endOffset: 4, records: 4, journaled: 4 },
        { key: "b", endOffset: 7, records: 7, journaled: 2 },
        { key: "cut", endOffset: 1, records: 1, journaled: 0 },
      ],
      journal: { segments: 1 },
    });
    expect((await seglog(cwd, ["verify", "store", "-k", "b"])).out).toMatchInlineSnapshot(`
      "store/logs/b: 1 segment, 7 records (2 of them in the journal alone), 49.1 KiB, start offset 0, end offset 7
      sound
      "
    `);
  });

  it("are moved to the segments by repair", async () => {
    const before = allFilesOf(store);
    expect((await seglog(cwd, ["repair", "--dry-run", "store"])).out).toMatchInlineSnapshot(`
      "would recover the journal: complete what the last writer left undone, and close it cleanly
      would recover the log of key "a": complete what the last writer left undone, and close it cleanly
      would move 4 records of key "a" from the journal to segments of its own
      would recover the log of key "b": complete what the last writer left undone, and close it cleanly
      would move 2 records of key "b" from the journal to segments of its own
      would recover the log of key "cut": complete what the last writer left undone, and close it cleanly
      "
    `);
    expect(allFilesOf(store)).toEqual(before);
    const { code, out } = await seglog(cwd, ["repair", "store"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "store/logs/.journal: recovered
      store/logs/a: recovered up to offset 4
      store/logs/a: moved what stood in the journal to segments of its own
      store/logs/b: recovered up to offset 7
      store/logs/b: moved what stood in the journal to segments of its own
      store/logs/cut: recovered up to offset 1
      "
    `);
    expect(await textsOf(store)).toEqual(expected);
    expect((await seglog(cwd, ["repair", "store"])).out).toBe("store: nothing to repair\n");
    const { bytes } = await seglog(cwd, ["verify", "store", "--json"]);
    const { keys } = JSON.parse(bytes.toString());
    expect(keys.map((key: { journaled: number }) => key.journaled)).toEqual([0, 0, 0]);
    // With the journal gone, nothing is missing.
    rmSync(journal, { recursive: true });
    expect(await textsOf(store)).toEqual(expected);
  });

  it("are kept when repair puts something else right", async () => {
    extend(join(store, "committed-offsets"), Buffer.from("torn"));
    extend(journalFile(), Buffer.from("torn"));
    expect((await seglog(cwd, ["repair", "store"])).code).toBe(0);
    expect(await textsOf(store)).toEqual(expected);
  });

  it("are saved by salvage, with what the segments have", async () => {
    const before = allFilesOf(store);
    const plan = await seglog(cwd, ["repair", "store", "--salvage", "new", "--dry-run"]);
    expect(existsSync(join(cwd, "new"))).toBe(false);
    const { code, out } = await seglog(cwd, ["repair", "store", "--salvage", "new"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "a: saved 4 records, start offset 0, end offset 4
      b: saved 7 records, start offset 0, end offset 7
      cut: saved 1 record, start offset 0, end offset 1
      new: verified, sound. store is unchanged.
      "
    `);
    expect(plan.out).toBe(out.replaceAll("saved", "would save").replace(/new: .*\n/, ""));
    expect(allFilesOf(store)).toEqual(before);
    expect(await textsOf(join(cwd, "new"))).toEqual(expected);
    await using saved = await LogStore.open(join(cwd, "new"));
    const [, record] = (await saved.read("b", 5)).records;
    expect([record!.offset, `${Buffer.from(record!.key!)}`]).toEqual([6, "k"]);
    expect(record!.headers!.map(([name, value]) => [name, `${Buffer.from(value)}`])).toEqual([
      ["h", "v"],
    ]);
    expect(await saved.group("readers").committed()).toEqual(
      new Map([
        ["a", 4],
        ["b", 7],
      ]),
    );
    expect(await saved.append("a", "next")).toBe(4);
  });

  it("are seen beside the writer", async () => {
    const other = join(cwd, "living");
    await leaveJournaled(other, ["a"], {
      count: 3,
      use: async (open) => {
        const { code, out } = await seglog(cwd, ["verify", "living", "-k", "a"]);
        expect([code, out]).toEqual([
          0,
          expect.stringMatching(
            / 3 records \(3 of them in the journal alone\), .* end offset 3, open/,
          ),
        ]);
        expect((await seglog(cwd, ["verify", "living"])).out).toMatch(/\nsound\n$/);
        await seglog(cwd, ["repair", "living", "--salvage", "new"]);
        await open.append("a", "a 3");
      },
    });
    expect((await textsOf(join(cwd, "new"))).get("a")).toEqual(["a 0", "a 1", "a 2"]);
    expect((await textsOf(other)).get("a")).toEqual(["a 0", "a 1", "a 2", "a 3"]);
  });

  it("are saved from one log of a store", async () => {
    const { code, out } = await seglog(cwd, ["repair", "store/logs/b", "--salvage", "new"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/saved 7 records, .*end offset 7\n/)]);
    expect((await seglog(cwd, ["cat", "new", "--from", "5"])).out).toBe("b 5\nb 6\n");
  });
});

describe("a journal", () => {
  it("with a torn tail is recovered", async () => {
    extend(journalFile(), Buffer.from("torn"));
    const verified = await seglog(cwd, ["verify", "store"]);
    expect(verified.code).toBe(0);
    expect(verified.out).toMatch(/^warning +logs\/\.journal\/0+\.log at \d+: torn tail: 4 bytes/m);
    expect((await seglog(cwd, ["repair", "store"])).out).toMatch(/logs\/\.journal: recovered$/m);
    expect(await textsOf(store)).toEqual(expected);
  });

  it("that is damaged is reported, and salvage saves what is around the damage", async () => {
    // Of the records of `a`, the third.
    const { position } = blocksOf(journal, 0)[4]!;
    flipBit(journalFile(), position + 90);
    const before = allFilesOf(store);
    const verified = await seglog(cwd, ["verify", "store"]);
    expect(verified.code).toBe(1);
    expect(verified.out).toMatchInlineSnapshot(`
      "damage   logs/.journal/00000000000000000000.log at 530: the block's checksum does not match (114 bytes up to the next valid block); offset 4 cannot be read
      store: 3 keys, 5 segments, 6 records, 51.2 KiB
      DAMAGED in 1 place
      To see what can be done: seglog repair --dry-run store
      "
    `);
    expect((await seglog(cwd, ["verify", "store", "-k", "a"])).out).toMatchInlineSnapshot(`
      "damage   ../.journal: the journal is damaged (the block's checksum does not match, though the block at position 644 was written when the log was on stable storage up to offset 5), which keeps readers out of its logs
      store/logs/a: 1 segment, 0 records, 80 B, start offset 0, end offset 0
      DAMAGED in 1 place
      To see what can be done: seglog repair --dry-run store
      "
    `);
    const repair = await seglog(cwd, ["repair", "store"]);
    expect(repair.code).toBe(1);
    expect(repair.out).toMatch(/cannot be repaired in place; nothing was changed/);
    const inspected = await seglog(cwd, ["inspect", "store"]);
    expect([inspected.code, inspected.out]).toEqual([
      1,
      expect.stringMatching(/journal {2}damaged/),
    ]);
    const cat = await seglog(cwd, ["cat", "store", "-k", "a"]);
    expect([cat.code, cat.out]).toEqual([1, "a 0\na 1\na 3\n"]);
    expect(cat.err).toMatch(
      /^seglog: CORRUPTION: .*\nseglog: skipped positions \d+ to \d+ of .*journal/,
    );
    const { code, out, err } = await seglog(cwd, ["repair", "store", "--salvage", "new"]);
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/whose records stood there is not known/),
    ]);
    expect(out).toMatchInlineSnapshot(`
      "a: saved 3 records, start offset 0, end offset 4
        offset 2 lost
      b: saved 7 records, start offset 0, end offset 7
      cut: saved 1 record, start offset 0, end offset 1
      new: verified, sound. store is unchanged.
      "
    `);
    expect(allFilesOf(store)).toEqual(before);
    expect(await textsOf(join(cwd, "new"))).toEqual(
      new Map([...expected, ["a", ["a 0", "a 1", "a 3"]]]),
    );
  });

  it("that begins behind the segments tells what is missing", async () => {
    // The header of the segment, and no block.
    truncateSync(segmentPath(join(store, "logs/b"), 0), 80);
    const { code, out } = await seglog(cwd, ["verify", "store"]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "damage   logs/b: records between its last segment and the journal of its store are missing; offsets 0 to 4 cannot be read
      store: 3 keys, 5 segments, 7 records (6 of them in the journal alone), 2.2 KiB
      DAMAGED in 1 place
      To see what can be done: seglog repair --dry-run store
      "
    `);
    expect((await seglog(cwd, ["repair", "store"])).code).toBe(1);
    const salvaged = await seglog(cwd, ["repair", "store", "--salvage", "new"]);
    expect(salvaged.out).toMatchInlineSnapshot(`
      "a: saved 4 records, start offset 0, end offset 4
      b: saved 6 records, start offset 0, end offset 7
        offset 4 lost
      cut: saved 1 record, start offset 0, end offset 1
      new: verified, sound. store is unchanged.
      "
    `);
    expect((await textsOf(join(cwd, "new"))).get("b")!.slice(-2)).toEqual(["b 5", "b 6"]);
  });

  it("without metadata is damaged", async () => {
    rmSync(join(journal, "log.meta"));
    const { code, out } = await seglog(cwd, ["verify", "store"]);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(/^damage +logs\/\.journal\/log\.meta: the file is missing$/m),
    ]);
    expect((await seglog(cwd, ["verify", "store", "-k", "a"])).out).toMatch(
      /^damage +\.\.\/\.journal: the journal is damaged \(log\.meta is missing\)/m,
    );
    expect((await seglog(cwd, ["repair", "store"])).code).toBe(1);
    expect((await seglog(cwd, ["repair", "store", "--salvage", "new"])).code).toBe(0);
    expect(await textsOf(join(cwd, "new"))).toEqual(expected);
  });

  it("that is a symbolic link is refused", async () => {
    const elsewhere = temporaryDirectory();
    rmSync(journal, { recursive: true });
    symlinkSync(elsewhere, journal);
    for (const command of ["verify", "inspect", "repair"]) {
      const { code, err } = await seglog(cwd, [command, "store"]);
      expect([code, err]).toEqual([2, expect.stringMatching(/UNSAFE_PATH: .*\.journal/)]);
    }
    expect(readdirSync(elsewhere)).toEqual([]);
  });
});
