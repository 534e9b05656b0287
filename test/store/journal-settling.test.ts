import { readdirSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { Journal } from "../../src/log/journal/journal.js";
import { LogStore } from "../../src/store/log-store.js";
import { flipBit } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { segmentPath } from "../support/log-builder.js";
import { changedContent, MemoryDisk, syncedOnly } from "../support/memory-disk.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import {
  appendTo,
  expectAll,
  expected,
  growUntil,
  JOURNAL,
  KEYS,
  leaveJournaled,
  openJournaling,
  SEGMENT,
} from "./journaling.js";
import { kill, textsIn } from "./stores.js";

/**
 * Begins to empty the journal, when it has grown by appends to `b`, and waits until the log of `a` is reached.
 *
 * @returns What lets it go on; resolves when the journal is emptied, or fails as that does.
 */
async function beginToEmpty(
  store: LogStore,
  fileSystem: FaultyFileSystem,
): Promise<() => Promise<void>> {
  const spy = vi.spyOn(Journal.prototype, "settle");
  onTestFinished(() => spy.mockRestore());
  const hold = fileSystem.hold({ kind: "datasync", path: /\/a\/\d+\.log$/ });
  await growUntil(store, hold);
  const [emptied] = spy.mock.results;
  return () => {
    hold.release();
    return emptied!.value as Promise<void>;
  };
}

const OTHER_BOOT = new Uint8Array(16).fill(9);

/** Even a disk in memory gives others a turn. */
async function inTurn<T>(perform: () => T): Promise<T> {
  await nextTurn();
  return perform();
}

/** Sees, from now on, when the journal is emptied. */
function watchEmptying() {
  const spy = vi.spyOn(Journal.prototype, "settle");
  onTestFinished(() => spy.mockRestore());
  const { results } = spy.mock;
  return {
    get count() {
      return results.length;
    },
    /** Resolves when it is over, however it went. */
    async over() {
      await (results.at(-1)?.value as Promise<void> | undefined)?.catch(() => undefined);
    },
  };
}

type Emptying = ReturnType<typeof watchEmptying>;

/** Lets the journal grow until it was tried once more to empty it. */
async function growUntilEmptied(store: LogStore, emptying: Emptying): Promise<void> {
  const before = emptying.count;
  for (let count = 0; emptying.count === before; count++) {
    if (count === 2000) expect.fail("nobody tries to empty the journal");
    await store.append("warm-up", "0123456789");
  }
  await emptying.over();
}

/** Whether the journal takes an append to `a` while nothing else keeps that from it. */
async function takesAppend(
  store: LogStore,
  fileSystem: FaultyFileSystem,
  emptying: Emptying,
): Promise<boolean> {
  await emptying.over();
  await (await store.log("a")).flush();
  await nextTurn();
  fileSystem.forget();
  await store.append("a", "0123456789");
  return fileSystem.countOf("write", JOURNAL) > 0;
}

/** Appends to `a` until the journal takes no more. */
async function fillJournal(
  store: LogStore,
  fileSystem: FaultyFileSystem,
  emptying: Emptying,
): Promise<void> {
  for (let count = 0; count < 1000; count++) {
    if (!(await takesAppend(store, fileSystem, emptying))) return;
  }
  expect.fail("the journal grows for ever");
}

async function journalBounds(directory: string) {
  const path = join(directory, "logs", ".journal");
  await using journal = await CommitLog.open(path, { readOnly: true });
  return { startOffset: journal.startOffset, endOffset: journal.endOffset };
}

describe("a journal", () => {
  it("is emptied when it has grown, and its files are removed", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem, settleBytes: 3000 });
    await appendTo(store, KEYS, 200);
    await store.flush();
    expect(fileSystem.countOf("write", SEGMENT)).toBeGreaterThan(8);
    await store.close();
    const journal = await CommitLog.open(join(directory, "logs", ".journal"), { readOnly: true });
    expect(journal.startOffset).toBe(journal.endOffset);
    expect(journal.endOffset).toBeGreaterThan(0);
    await journal.close();
  });

  it("keeps what a log could not take, and frees nothing of it", async () => {
    const memory = new MemoryFileSystem();
    const fileSystem = new FaultyFileSystem(memory);
    const store = await openJournaling("/store", {}, { fileSystem });
    await appendTo(store, KEYS, 20);
    // The log's own file cannot be synced: it is given up, and the journal still has its records.
    fileSystem.fail(
      { kind: "datasync", path: /\/logs\/b\/\d+\.log$/ },
      { errno: "EIO", times: Number.POSITIVE_INFINITY },
    );
    expect(await codeOf((await store.log("b")).truncateTo(19))).toBe("LOG_POISONED");
    expect(await codeOf(store.close())).toBe("LOG_POISONED");
    // What was not synced goes with the power.
    const left = new MemoryFileSystem(MemoryDisk.from(memory.disk.capture(), syncedOnly));
    const again = await openJournaling("/store", {}, { fileSystem: new FaultyFileSystem(left) });
    await expectAll(again, KEYS, 20);
  });

  it("that cannot be synced fails what waits for it; the store opens again with the rest", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 10);
    fileSystem.fail({ kind: "datasync", path: JOURNAL }, { errno: "EIO" });
    const codes = await Promise.all(KEYS.map((key) => codeOf(store.append(key, "lost?"))));
    expect(codes).toEqual(KEYS.map(() => "LOG_POISONED"));
    expect(await codeOf(store.append("a", "no more"))).toBe("LOG_POISONED");
    await expectAll(store, KEYS, 10);
    expect(await codeOf(store.close())).toBe("LOG_POISONED");
    const again = await openJournaling(directory);
    for (const key of KEYS) {
      expect((await textsIn(again, key)).slice(0, 10)).toEqual(expected(key, 10));
    }
  });

  it("on a full disk fails what waits and no more, and takes appends when there is room", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(newPath(), {}, { fileSystem, smallWriteBytes: 0 });
    await appendTo(store, KEYS, 10);
    fileSystem.fail({ kind: "write", path: JOURNAL }, { errno: "ENOSPC" });
    const hold = fileSystem.hold({ kind: "write", path: JOURNAL });
    const first = KEYS.map((key) => codeOf(store.append(key, "no room")));
    await hold.reached;
    const behind = KEYS.map((key) => codeOf(store.append(key, "behind it")));
    hold.release();
    expect(await Promise.all([...first, ...behind])).toEqual(Array(8).fill("NO_SPACE"));
    await appendTo(store, KEYS, 12);
    await expectAll(store, KEYS, 12);
  });

  it("that cannot be read when the store is opened is left as it is", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 30);
    // Whichever read it is: of its header, of its tail, of what it holds.
    for (let reads = 0; ; reads++) {
      const fileSystem = new FaultyFileSystem();
      const fault = fileSystem.fail(
        { kind: "read", path: JOURNAL },
        { errno: "EIO", after: reads },
      );
      const opening = LogStore.openOn(createEnvironment(fileSystem), directory);
      const store = await opening.catch((error: SeglogError) => error);
      if (store instanceof LogStore) {
        await store.close();
        expect(fault.hits).toBe(0);
        expect(reads).toBeGreaterThan(1);
        break;
      }
      expect(store.code).toBe("IO_ERROR");
      expect(fileSystem.openPaths).toEqual([]);
    }
    const again = await openJournaling(directory);
    await expectAll(again, KEYS, 30);
  });

  it("that could not be emptied keeps nothing that was cut off since", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    let isTold = false;
    const onError = () => {
      isTold = true;
    };
    const store = await openJournaling(directory, { onError }, { fileSystem, settleBytes: 3000 });
    await appendTo(store, ["a"], 10);
    // Its start offset is about to move.
    fileSystem.fail({ kind: "rename", path: /\.journal\/log\.meta/ }, { errno: "ENOSPC" });
    while (!isTold) await store.append("b", "x");
    await (await store.log("a")).truncateTo(5);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 5);
  });

  it("that was poisoned gives a log nothing that it did not acknowledge", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, ["a"], 3);
    fileSystem.fail({ kind: "datasync", path: JOURNAL }, { errno: "EIO" });
    expect(await codeOf(store.appendBatch("a", ["lost 1", "lost 2"]))).toBe("LOG_POISONED");
    expect(await codeOf((await store.log("a")).close())).toBe("LOG_POISONED");
    // In this session nobody knows whether the two are there: other records must not take their place.
    expect(await codeOf(store.append("a", "another"))).toBe("LOG_POISONED");
    expect(await codeOf(store.close())).toBe("LOG_POISONED");
    const again = await openJournaling(directory);
    const found = await textsIn(again, "a");
    expect([3, 5]).toContain(found.length);
    expect(found).toEqual([...expected("a", 3), "lost 1", "lost 2"].slice(0, found.length));
  });

  it("that was poisoned lets no log be cut that it holds records of, and does no other harm", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, ["a", "b"], 5);
    fileSystem.fail({ kind: "datasync", path: JOURNAL }, { errno: "EIO" });
    expect(await codeOf(store.append("b", "lost?"))).toBe("LOG_POISONED");
    // What it holds could come back: nothing can be noted there.
    expect(await codeOf((await store.log("a")).truncateTo(2))).toBe("LOG_POISONED");
    await expectAll(store, ["a"], 5);
    await appendTo(store, ["a"], 6);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 6);
    await (await again.log("a")).truncateTo(2);
    await expectAll(again, ["a"], 2);
  });

  it("keeps what a log that was closed amid its settling could not take", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem, settleBytes: 4000 });
    await appendTo(store, KEYS, 3);
    fileSystem.fail({ kind: "write", path: /\/d\/\d+\.log$/ }, { errno: "EIO" });
    expect(await codeOf(store.append("d", "x".repeat(20_000)))).toBe("LOG_POISONED");
    const hold = fileSystem.hold({ kind: "datasync", path: /\/a\/\d+\.log$/ });
    await growUntil(store, hold);
    expect(await codeOf((await store.log("d")).close())).toBe("LOG_POISONED");
    hold.release();
    await (await store.log("c")).flush();
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a", "c", "d"], 3);
  });

  it("is emptied without a failure while a log is closed, which moves its own end", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const told: string[] = [];
    const onError = ({ code }: SeglogError) => told.push(code);
    const setting = { fileSystem, settleBytes: 4000, smallWriteBytes: 0 };
    const store = await openJournaling(directory, { onError }, setting);
    await appendTo(store, ["a", "d"], 3);
    const hold = fileSystem.hold({ kind: "write", path: /\/d\/\d+\.log$/ });
    const closed = (await store.log("d")).close();
    await hold.reached;
    const emptied = await beginToEmpty(store, fileSystem);
    hold.release();
    await closed;
    await emptied();
    expect(told).toEqual([]);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a", "d"], 3);
  });

  it("is emptied without a failure until its store is closed", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 30);
    const fileSystem = new FaultyFileSystem();
    const told: string[] = [];
    const onError = ({ code }: SeglogError) => told.push(code);
    const store = await openJournaling(directory, { onError }, { fileSystem, settleBytes: 4000 });
    // Amid its look for the logs that have something in it.
    const hold = fileSystem.hold({ path: /\/d\/log\.meta$/ });
    await growUntil(store, hold);
    const closed = store.close();
    hold.release();
    await closed;
    expect(told).toEqual([]);
    const again = await openJournaling(directory);
    await expectAll(again, ["a", "c", "d"], 30);
  });

  it("keeps what a log had that was closed before it had room", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const segment = /\/d\/\d+\.log$/;
    const setting = { fileSystem, settleBytes: 4000, smallWriteBytes: 0 };
    const store = await openJournaling(directory, {}, setting);
    await appendTo(store, ["a", "d"], 3);
    fileSystem.fail({ kind: "write", path: segment }, { errno: "ENOSPC" });
    const hold = fileSystem.hold({ kind: "write", path: segment });
    const closed = codeOf((await store.log("d")).close());
    await hold.reached;
    const emptied = await beginToEmpty(store, fileSystem);
    hold.release();
    expect(await closed).toBe("NO_SPACE");
    await emptied().catch(() => undefined);
    // There is room by now, but the file may be another writer's.
    expect(fileSystem.countOf("write", segment)).toBe(1);
    expect(fileSystem.openPaths.filter((path) => segment.test(path))).toEqual([]);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a", "d"], 3);
  });

  it("keeps what a log has that cannot be looked at", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 30);
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem, settleBytes: 4000 });
    const failure = { errno: "EIO", times: Number.POSITIVE_INFINITY };
    fileSystem.fail({ path: /\/d\/log\.meta$/ }, failure);
    await (await beginToEmpty(store, fileSystem))();
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a", "c", "d"], 30);
  });

  it("that begins behind the segments of a log is noticed when that is opened", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 10);
    await (await store.log("b")).truncateTo(10);
    await appendTo(store, KEYS, 20);
    await kill(store, fileSystem);
    // Another machine's copy of the store, made while it had an empty segment.
    rmSync(join(directory, "published"));
    truncateSync(segmentPath(join(directory, "logs", "b"), 0), 80);
    const again = await openJournaling(directory);
    expect(await codeOf(again.log("b"))).toBe("CORRUPTION");
    await expectAll(again, ["a", "c", "d"], 20);
  });

  it("that is lost with records of a log is noticed where it can be", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 10);
    await kill(store, fileSystem);
    const journal = join(directory, "logs", ".journal");
    for (const name of readdirSync(journal)) {
      if (name.endsWith(".log")) rmSync(join(journal, name));
    }
    expect(await codeOf(LogStore.open(directory))).toBe("CORRUPTION");
  });

  it("takes appends again when a log that could not take its own is opened anew", async () => {
    const fileSystem = new FaultyFileSystem();
    const onError = () => undefined;
    const store = await openJournaling(newPath(), { onError }, { fileSystem, settleBytes: 2000 });
    const emptying = watchEmptying();
    await appendTo(store, ["b"], 3);
    fileSystem.fail({ kind: "write", path: /\/b\/\d+\.log$/ }, { errno: "EIO" });
    expect(await codeOf(store.append("b", "x".repeat(20_000)))).toBe("LOG_POISONED");
    await fillJournal(store, fileSystem, emptying);
    expect(await codeOf((await store.log("b")).close())).toBe("LOG_POISONED");
    await appendTo(store, ["b"], 4);
    await growUntilEmptied(store, emptying);
    expect(await takesAppend(store, fileSystem, emptying)).toBe(true);
    await expectAll(store, ["b"], 4);
  });

  it("takes appends again that is found longer than allowed", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 100);
    const fileSystem = new FaultyFileSystem();
    const setting = { fileSystem, journalFrom: 1, settleBytes: 1000 };
    const store = await openJournaling(directory, {}, setting);
    const emptying = watchEmptying();
    expect(await takesAppend(store, fileSystem, emptying)).toBe(false);
    await growUntilEmptied(store, emptying);
    expect(await takesAppend(store, fileSystem, emptying)).toBe(true);
    await expectAll(store, ["b", "c", "d"], 100);
  });

  it.each([
    ["metadata", "log.meta", 40],
    ["segment", "00000000000000000000.log", 5],
  ])("takes no more than allowed while the %s of a log is damaged", async (_, name, position) => {
    const directory = newPath();
    await leaveJournaled(directory, 3);
    flipBit(join(directory, "logs", "b", name), position);
    const fileSystem = new FaultyFileSystem();
    const told = new Set<string>();
    const onError = ({ code }: SeglogError) => told.add(code);
    const store = await openJournaling(directory, { onError }, { fileSystem, settleBytes: 2000 });
    const emptying = watchEmptying();
    // What stands before the first record of that log is freed.
    await growUntilEmptied(store, emptying);
    await fillJournal(store, fileSystem, emptying);
    await growUntilEmptied(store, emptying);
    expect(await takesAppend(store, fileSystem, emptying)).toBe(false);
    expect([...told]).toEqual(["CORRUPTION"]);
    await expectAll(store, ["c", "d"], 3);
    await kill(store, fileSystem);
    flipBit(join(directory, "logs", "b", name), position);
    await expectAll(await openJournaling(directory), ["b", "c", "d"], 3);
  });

  it("frees what a deleted key had, while another one cannot be looked at", async () => {
    const directory = newPath();
    await using first = await openJournaling(directory);
    await appendTo(first, ["b"], 3);
    await first.close();
    const before = new FaultyFileSystem();
    const killed = await openJournaling(directory, {}, { fileSystem: before });
    await appendTo(killed, ["d"], 3);
    await kill(killed, before);
    flipBit(join(directory, "logs", "b", "log.meta"), 40);
    const onError = () => undefined;
    const store = await openJournaling(directory, { onError }, { settleBytes: 2000 });
    const { endOffset } = await journalBounds(directory);
    await store.deleteKey("d");
    await growUntilEmptied(store, watchEmptying());
    expect((await journalBounds(directory)).startOffset).toBeGreaterThan(endOffset);
  });

  it.each([
    ["fails for ever", Number.POSITIVE_INFINITY, { startOffset: 0, endOffset: 3 }],
    ["fails once", 1, undefined],
  ])("keeps what a deleted log had if the sync of that %s", async (_, times, left) => {
    const memory = new MemoryFileSystem(undefined, { schedule: inTurn });
    const before = new FaultyFileSystem(memory);
    const killed = await openJournaling("/store", {}, { fileSystem: before });
    await appendTo(killed, ["b"], 3);
    await kill(killed, before);
    const fileSystem = new FaultyFileSystem(memory);
    const onError = () => undefined;
    const store = await openJournaling("/store", { onError }, { fileSystem, settleBytes: 4000 });
    const emptying = watchEmptying();
    fileSystem.fail({ kind: "syncDirectory", path: /\/logs$/ }, { errno: "EIO", times });
    // It is not open, so nothing of it goes from the journal to its segments.
    expect(await codeOf(store.deleteKey("b"))).toBe("IO_ERROR");
    await growUntilEmptied(store, emptying);
    await fileSystem.die();
    const disk = MemoryDisk.from(memory.disk.capture(), syncedOnly);
    const rest = new FaultyFileSystem(new MemoryFileSystem(disk, { bootId: OTHER_BOOT }));
    const again = await openJournaling("/store", {}, { fileSystem: rest });
    expect(await again.bounds("b")).toEqual(left);
  });

  it("that cannot be read for a while does no harm to the logs that it has records of", async () => {
    const fileSystem = new FaultyFileSystem();
    const told: string[] = [];
    const onError = ({ code }: SeglogError) => told.push(code);
    const store = await openJournaling(newPath(), { onError }, { fileSystem, settleBytes: 4000 });
    const emptying = watchEmptying();
    await appendTo(store, KEYS, 5);
    const failure = { errno: "EIO", times: Number.POSITIVE_INFINITY };
    const fault = fileSystem.fail({ kind: "read", path: JOURNAL }, failure);
    await growUntilEmptied(store, emptying);
    expect(told).toEqual(["IO_ERROR"]);
    fault.remove();
    await growUntilEmptied(store, emptying);
    expect(told).toEqual(["IO_ERROR"]);
    await appendTo(store, KEYS, 6);
    await expectAll(store, KEYS, 6);
  });
});

async function openOnMemory() {
  const memory = new MemoryFileSystem();
  const fileSystem = new FaultyFileSystem(memory);
  const store = await openJournaling("/store", {}, { fileSystem });
  return { store, fileSystem, disk: memory.disk };
}

/** Appends a batch to `a`, which the journal's file has all of when there is no room for the rest. */
async function refuseByHalf(store: LogStore, fileSystem: FaultyFileSystem): Promise<void> {
  fileSystem.fail({ kind: "write", path: JOURNAL }, { errno: "ENOSPC", shortBytes: 1000 });
  const refused = [store.appendBatch("a", ["no 1", "no 2"]), store.append("b", "x".repeat(10_000))];
  expect(await Promise.all(refused.map(codeOf))).toEqual(["NO_SPACE", "NO_SPACE"]);
}

/** Opens what the disk holds when it got all writes and, of files that were cut, what was synced. */
async function openAfterPowerCut(before: MemoryDisk): Promise<LogStore> {
  const disk = MemoryDisk.from(before.capture(), (state) => {
    if (state.kind === "directory") return syncedOnly(state);
    const writes = state.changes.filter(({ kind }) => kind === "write");
    const durable = writes.reduce(changedContent, state.durable);
    return syncedOnly({ ...state, durable });
  });
  const fileSystem = new FaultyFileSystem(new MemoryFileSystem(disk, { bootId: OTHER_BOOT }));
  return openJournaling("/store", {}, { fileSystem });
}

describe("a batch that a journal on a full disk refused by half", () => {
  it("does not come back after a power cut, when its log went on in its segments", async () => {
    const { store, fileSystem, disk } = await openOnMemory();
    await appendTo(store, ["a", "b"], 2);
    await refuseByHalf(store, fileSystem);
    const long = "x".repeat(20_000);
    expect(await store.append("a", long)).toBe(2);
    const again = await openAfterPowerCut(disk);
    expect(await textsIn(again, "a")).toEqual([...expected("a", 2), long]);
  });

  it("does not come back after a power cut, when its log was cut before it", async () => {
    const { store, fileSystem, disk } = await openOnMemory();
    await appendTo(store, ["b"], 1);
    const long = "x".repeat(20_000);
    for (let count = 0; count < 3; count++) await store.append("a", long);
    await refuseByHalf(store, fileSystem);
    await (await store.log("a")).truncateTo(1);
    const again = await openAfterPowerCut(disk);
    expect(await textsIn(again, "a")).toEqual([long]);
  });
});
