import { describe, expect, it } from "vitest";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { openLog, valueAt } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { DIST, runModule } from "./child.js";

interface Figures {
  readonly seconds: number;
  /** The most memory that the process ever had, in MiB. */
  readonly maxMiB: number;
  readonly [name: string]: unknown;
}

/** Prints what a heavy test measured: for people; only bounds are asserted. */
function print(name: string, figures: Figures): void {
  console.info(`${name}: ${JSON.stringify(figures)}`);
}

const PRELUDE = `
  const { CommitLog, LogStore } = await import(${JSON.stringify(DIST)} + "index.js");
  const startedAt = performance.now();
  const done = (figures) => console.log(JSON.stringify({
    ...figures,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    maxMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }));
`;

const MANY_KEYS = `${PRELUDE}
  const [directory, durability, count] = process.argv.slice(1);
  const store = await LogStore.open(directory, { durability });
  const keys = Array.from({ length: Number(count) }, (_, index) => "key-" + index);
  const inTurn = async (run) => {
    let next = 0;
    const worker = async () => {
      while (next < keys.length) await run(keys[next++]);
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  };
  for (let turn = 0; turn < 2; turn++) {
    await inTurn(async (key) => {
      const offset = await store.append(key, key + " " + turn);
      if (offset !== turn) throw new Error(key + " got offset " + offset);
    });
  }
  let records = 0;
  await inTurn(async (key) => {
    const read = await store.read(key, 0);
    records += read.records.length;
    if (Buffer.from(read.records[1].value).toString() !== key + " 1") throw new Error(key);
  });
  await store.group("g").commit(new Map(keys.slice(0, 100).map((key) => [key, 2])));
  await store.close();
  done({ records });
`;

describe("many keys in a process that may open 256 files", () => {
  it.each([
    ["os", 10_000],
    ["always", 500],
  ])(
    "under %s: %d are appended to in turn within 300 MiB",
    (durability, count) => {
      const figures = runModule(
        MANY_KEYS,
        [newPath(), durability, String(count)],
        "-n 256",
      ) as Figures;
      print(`${count} keys under ${durability}`, figures);
      expect(figures.records).toBe(2 * count);
      expect(figures.maxMiB).toBeLessThan(300);
    },
    180_000,
  );
});

const MILLION = `${PRELUDE}
  const [directory] = process.argv.slice(1);
  const log = await CommitLog.open(directory, { segmentBytes: 16 * 1024 * 1024 });
  const total = 1_000_000;
  const value = new Uint8Array(100).fill(0x78);
  const batch = Array.from({ length: 1000 }, () => value);
  for (let offset = 0; offset < total; offset += batch.length) await log.appendBatch(batch);
  const afterAppend = process.memoryUsage().rss;
  const appendSeconds = (performance.now() - startedAt) / 1000;
  let scanned = 0;
  let peak = afterAppend;
  for (let turn = 0; turn < 3; turn++) {
    scanned = 0;
    for await (const records of log.batches()) {
      for (const record of records) {
        if (record.offset !== scanned || record.value.length !== 100) throw new Error("wrong");
        scanned++;
      }
    }
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  let state = 12345;
  for (let turn = 0; turn < 50_000; turn++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const offset = state % total;
    const record = turn % 2 === 0 ? await log.read(offset) : log.readSync(offset);
    if (record.offset !== offset || record.value.length !== 100) throw new Error("wrong");
  }
  peak = Math.max(peak, process.memoryUsage().rss);
  const segments = log.segments().length;
  await log.close();
  done({
    scanned,
    segments,
    appendSeconds: Math.round(appendSeconds * 10) / 10,
    rssAfterAppendMiB: Math.round(afterAppend / 1048576),
    rssPeakMiB: Math.round(peak / 1048576),
  });
`;

describe("a million records", () => {
  it("are appended in batches, scanned and read one by one in bounded memory", () => {
    const figures = runModule(MILLION, [newPath()]) as Figures;
    print("1,000,000 records of 100 B", figures);
    expect(figures).toMatchObject({ scanned: 1_000_000 });
    expect(figures.segments).toBeGreaterThan(5);
    expect(figures.maxMiB).toBeLessThan(300);
  }, 180_000);
});

describe("a log of 1,000 segments", () => {
  it("is opened by reading the last one only, after a clean close and after a crash", async () => {
    const directory = newPath();
    const writer = new FaultyFileSystem();
    const options = { durability: "os", segmentBytes: 256, blockBytes: 256 } as const;
    const log = await openLog(directory, options, { fileSystem: writer });
    while (log.segments().length < 1000) {
      await log.appendBatch([{ value: valueAt(log.endOffset).padEnd(100), timestamp: 1 }]);
      await log.appendBatch([valueAt(log.endOffset).padEnd(100)]);
    }
    const count = log.endOffset;
    await log.close();

    const look = async (readOnly: boolean) => {
      const fileSystem = new FaultyFileSystem();
      const opened = await openLog(directory, { ...options, readOnly }, { fileSystem });
      const data = fileSystem.matching({ path: /\.(log|index|timeindex)$/ });
      const result = {
        files: new Set(data.filter(({ kind }) => kind === "open").map(({ path }) => path)).size,
        bytes: data.reduce((sum, { kind, bytes = 0 }) => sum + (kind === "read" ? bytes : 0), 0),
        lists: fileSystem.countOf("readDirectory"),
        operations: fileSystem.count,
      };
      expect(opened.endOffset).toBe(count);
      return { ...result, opened, fileSystem };
    };
    const clean = await look(false);
    console.info(
      `1,000 segments, clean: ${clean.operations} operations, ${clean.files} data files, ` +
        `${clean.bytes} bytes`,
    );
    expect(clean.files).toBe(1);
    expect(clean.bytes).toBeLessThan(16 * 1024);
    expect(clean.operations).toBeLessThan(50);
    await clean.opened.append("unclean from here on");
    await clean.fileSystem.die();
    await clean.opened.close().catch(() => undefined);

    const reader = new FaultyFileSystem();
    const follower = await openLog(directory, { readOnly: true }, { fileSystem: reader });
    const opened = reader.matching({ kind: "open", path: /\.log$/ });
    expect(new Set(opened.map(({ path }) => path)).size).toBe(1);
    expect(follower.endOffset).toBe(count + 1);

    const crashed = new FaultyFileSystem();
    const again = await openLog(directory, options, { fileSystem: crashed });
    const names = crashed.matching({ kind: "open", path: /\.log(\.tmp)?$/ });
    // And the one that it goes on in: records may be lost without a trace under "os".
    expect(new Set(names.map(({ path }) => path.replace(".tmp", ""))).size).toBe(2);
    expect(crashed.count).toBeLessThan(80);
    expect(again.endOffset).toBe(count + 1);
    expect((await again.read(0)).offset).toBe(0);
  }, 120_000);
});
