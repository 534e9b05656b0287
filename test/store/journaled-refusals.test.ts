import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { PooledFile } from "../../src/files/handle-pool.js";
import { BufferPool } from "../../src/log/memory/buffer-pool.js";
import type { LogStore } from "../../src/store/log-store.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { JOURNAL, openJournaling, SEGMENT } from "./journaling.js";
import { kill, textsIn } from "./stores.js";

const KEY = "a";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Appends one by one, each in a turn of its own, and so to the journal. */
async function appendSlowly(store: LogStore, texts: readonly string[]): Promise<number[]> {
  const offsets: number[] = [];
  for (const text of texts) {
    offsets.push(await store.append(KEY, text));
    for (let turn = 0; turn < 6; turn++) await nextTurn();
  }
  return offsets;
}

/** For so many syncs of files with such a path, there is no handle to be had. */
function refuseHandles(path: RegExp, times: number): void {
  const { acquire } = PooledFile.prototype;
  let left = times;
  vi.spyOn(PooledFile.prototype, "acquire").mockImplementation(function (this: PooledFile) {
    if (left > 0 && path.test(this.path) && this.hasUnsyncedWrites) {
      left--;
      return Promise.reject(new SeglogError("TOO_MANY_OPEN_FILES", "There is no handle left."));
    }
    return acquire.call(this);
  });
}

describe("an append that is refused", () => {
  test("leaves its offset to nobody else, if it was written to the segments", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openJournaling(directory, {}, { fileSystem });
    expect(await appendSlowly(store, ["0", "1"])).toEqual([0, 1]);
    refuseHandles(SEGMENT, 2);
    const refused = "x".repeat(20_000);
    expect(await codeOf(store.append(KEY, refused))).toBe("TOO_MANY_OPEN_FILES");
    for (let turn = 0; turn < 6; turn++) await nextTurn();
    expect(await appendSlowly(store, ["3", "4", "5"])).toEqual([3, 4, 5]);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    expect(await textsIn(again, KEY)).toEqual(["0", "1", refused, "3", "4", "5"]);
  });

  test("ends the journal, if it was written there", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openJournaling(directory, { onError: () => undefined }, { fileSystem });
    await appendSlowly(store, ["0", "1", "2"]);
    refuseHandles(JOURNAL, 2);
    await codeOf(store.append(KEY, "refused"));
    for (let turn = 0; turn < 6; turn++) await nextTurn();
    const acknowledged = ["0", "1", "2"];
    for (const text of ["3", "4"]) {
      const offset = await store.append(KEY, text).catch(() => undefined);
      if (offset !== undefined) acknowledged[offset] = text;
    }
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    const texts = await textsIn(again, KEY);
    for (const [offset, text] of acknowledged.entries()) {
      if (text !== undefined) expect(texts[offset]).toBe(text);
    }
  });

  test("is not taken for stored when it is sent again, if there was no memory for it", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openJournaling(directory, {}, { fileSystem });
    const send = (sequence: number) =>
      store.append(KEY, `${sequence}`, { producer: { id: 7n, epoch: 0, sequence } });
    for (const sequence of [0, 1]) {
      expect(await send(sequence)).toBe(sequence);
      for (let turn = 0; turn < 6; turn++) await nextTurn();
    }
    const take = vi.spyOn(BufferPool.prototype, "take").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    await expect(send(2)).rejects.toThrow("allocation failed");
    take.mockRestore();
    expect(await send(2)).toBe(2);
    expect(await store.append(KEY, "other")).toBe(3);
    await kill(store, fileSystem);
    expect(await textsIn(await openJournaling(directory), KEY)).toEqual(["0", "1", "2", "other"]);
  });
});

test("a record whose value is made by code that appends it, too, is stored once", async () => {
  const store = await openJournaling(newPath());
  await appendSlowly(store, ["first"]);
  const producer = { id: 7n, epoch: 0, sequence: 0 };
  let inner: Promise<number> | undefined;
  const record = {
    get value(): string {
      inner ??= store.append(KEY, "once", { producer });
      return "once";
    },
  };
  expect(await store.append(KEY, record, { producer })).toBe(1);
  expect(await inner).toBe(1);
  expect(await textsIn(store, KEY)).toEqual(["first", "once"]);
});
