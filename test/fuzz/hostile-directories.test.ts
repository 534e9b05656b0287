import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CorruptionError, SeglogError } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { LogStore } from "../../src/store/log-store.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { type Forgery, forge, forgery } from "./forgery.js";
import { SEED, timeLimit, tries } from "./runs.js";
import { scratchDirectory } from "./scratch.js";
import { collectSpecimens, readTree, type Specimen, writeTree } from "./specimens.js";

const specimens = await collectSpecimens();
const scratch = scratchDirectory();
afterAll(() => scratch.remove());

/** How often what happened, so that a test can see that it saw more than refusals. */
const tally = new Map<string, number>();

/** What `run` gives; a failure must be a typed one and is noted. */
async function attempt<Value>(what: string, run: () => Promise<Value> | Value) {
  try {
    const value = await run();
    note(`${what}: done`);
    return value;
  } catch (error) {
    if (!(error instanceof SeglogError)) throw error;
    expect(error.message.length).toBeLessThan(2000);
    if (error instanceof CorruptionError) expect(error.position).toBeGreaterThanOrEqual(0);
    // Bad luck is not what hostile bytes may be taken for.
    expect(error.code, error.message).not.toMatch(/^(IO_ERROR|TOO_MANY_OPEN_FILES|LOG_POISONED)$/);
    note(`${what}: ${error.code}`);
    return undefined;
  }
}

function note(what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

/** Reads all that can be read, in every way. */
async function readAll(log: CommitLog): Promise<void> {
  const { startOffset, endOffset } = log;
  if (startOffset > endOffset) {
    // All that is readable was lost. That is told as damage, and never as an empty log.
    for await (const record of log.records()) expect.fail(`a record at ${record.offset}`);
    return;
  }
  await attempt("iterate", async () => {
    let before = -1;
    for await (const record of log.records()) {
      expect(record.offset).toBeGreaterThan(before);
      expect(record.offset).toBeLessThan(endOffset);
      before = record.offset;
    }
  });
  for (const offset of [startOffset, Math.floor((startOffset + endOffset) / 2), endOffset - 1]) {
    if (offset < startOffset) continue;
    const record = await attempt("read", () => log.read(offset));
    const same = await attempt("readSync", () => log.readSync(offset));
    expect(same).toEqual(record);
    if (record !== undefined) expect(record.offset).toBe(offset);
    await attempt("readFrom", () => log.readFrom(offset, { maxRecords: 3 }));
  }
  for (const timestamp of [0, 1_600_000_003_001, Number.MAX_SAFE_INTEGER]) {
    const found = await attempt("offsetForTimestamp", () => log.offsetForTimestamp(timestamp));
    if (found === undefined) continue;
    expect(found).toBeGreaterThanOrEqual(startOffset);
    expect(found).toBeLessThanOrEqual(endOffset);
  }
  await attempt("segments", () => log.segments());
  await followAwhile(log);
}

/** Follows from the start until nothing comes, or fails. */
async function followAwhile(log: CommitLog): Promise<void> {
  const abort = new AbortController();
  const stop = new Error("enough");
  const timer = setTimeout(() => abort.abort(stop), 2);
  try {
    await attempt("follow", async () => {
      const options = { follow: true, signal: abort.signal };
      for await (const batch of log.batches(options)) note(`followed ${batch.recordCount > 0}`);
    });
  } catch (error) {
    if (error !== stop) throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function readStore(store: LogStore): Promise<void> {
  for (const key of store.keys()) {
    const log = await attempt("store.log", () => store.log(key));
    if (log !== undefined) await attempt("read all", () => readAll(log));
    await attempt("store.bounds", () => store.bounds(key));
    await attempt("store.read", () => store.read(key, 0));
  }
  const groups = (await attempt("groups", () => store.groups())) ?? [];
  for (const group of groups) await attempt("committed", () => store.group(group).committed());
}

/** A log that could be opened for writing takes records, and has them when it is opened again. */
async function appendTo(log: CommitLog): Promise<number | undefined> {
  return await attempt("append", () => log.append({ value: "new", key: "k" }));
}

async function openForReading(directory: string, kind: Specimen["kind"]): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const environment = createEnvironment(fileSystem);
  const before = readTree(directory);
  if (kind === "log") {
    const log = await attempt("open log", () =>
      CommitLog.openOn(environment, directory, { readOnly: true }),
    );
    if (log !== undefined) await attempt("read all", () => readAll(log));
    await log?.close();
    await attempt("verifyLog", () => verifyLog(environment, directory));
  } else {
    const store = await attempt("open store", () =>
      LogStore.openOn(environment, directory, { readOnly: true }),
    );
    if (store !== undefined) await readStore(store);
    await store?.close();
  }
  expect(readTree(directory)).toEqual(before);
  // Surveys of verifyLog hold none either: it closes them.
  expect(fileSystem.openPaths).toEqual([]);
}

async function openForWriting(directory: string, kind: Specimen["kind"]): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const environment = createEnvironment(fileSystem);
  // A forged timestamp may lie ahead of the clock, which is told.
  const options = { segmentBytes: 1500, blockBytes: 512, onError: () => note("told to onError") };
  const before = readTree(directory);
  if (kind === "log") {
    const log = await attempt("open log for writing", () =>
      CommitLog.openOn(environment, directory, options),
    );
    if (log === undefined) expectUnchanged(before, readTree(directory));
    else {
      const offset = await appendTo(log);
      await readAll(log);
      await log.close();
      if (offset !== undefined) await expectRecord(directory, offset);
    }
  } else {
    const store = await attempt("open store for writing", () =>
      LogStore.openOn(environment, directory, options),
    );
    if (store !== undefined) {
      for (const key of store.keys()) {
        const log = await attempt("store.log for writing", () => store.log(key));
        const offset = log === undefined ? undefined : await appendTo(log);
        if (offset === undefined) continue;
        await attempt("commit", () => store.group("fuzz").commit(new Map([[key, offset + 1]])));
        expect((await store.group("fuzz").committed([key])).get(key)).toBe(offset + 1);
      }
      await readStore(store);
      await store.close();
      const again = await LogStore.openOn(environment, directory, { readOnly: true });
      await again.close();
    }
  }
  expect(fileSystem.openPaths).toEqual([]);
}

async function expectRecord(directory: string, offset: number): Promise<void> {
  const environment = createEnvironment(new FaultyFileSystem());
  const log = await CommitLog.openOn(environment, directory, { onError: () => undefined });
  try {
    expect(Buffer.from((await log.read(offset)).value).toString()).toBe("new");
    expect(log.recovery.kind).toBe("clean");
  } finally {
    await log.close();
  }
}

/** An opening that failed changed nothing but the writer's own files. */
function expectUnchanged(before: Specimen["files"], after: Specimen["files"]): void {
  const ofWriter = /(^|\/)(LOCK|published)$|\.tmp$|\.(index|timeindex)$/;
  const data = (files: Specimen["files"]) => [...files].filter(([name]) => !ofWriter.test(name));
  expect(data(after)).toEqual(data(before));
}

async function judge(what: Forgery): Promise<void> {
  const { kind, files } = forge(specimens, what);
  const directory = join(scratch.path, "subject");
  writeTree(directory, files);
  await openForReading(directory, kind);
  await openForWriting(directory, kind);
}

describe(`hostile directories (seed ${SEED})`, () => {
  it("are read, or refused with a typed error; reading changes nothing", {
    timeout: timeLimit(15_000),
  }, async () => {
    await fc.assert(fc.asyncProperty(forgery, judge), tries(100));
    const count = (what: string) => tally.get(what) ?? 0;
    for (const what of ["open log", "open log for writing", "append", "iterate", "read"]) {
      expect(count(`${what}: done`), what).toBeGreaterThan(tries(5).numRuns);
    }
    for (const what of ["open log", "iterate", "read"]) {
      expect(count(`${what}: CORRUPTION`), what).toBeGreaterThan(0);
    }
  });
});
