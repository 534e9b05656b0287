import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { AppendedBatch } from "../../src/log/queue/appended-batch.js";
import type { LogStore } from "../../src/store/log-store.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { blocksOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { appendTo, expected, JOURNAL, openJournaling, SEGMENT } from "./journaling.js";
import { kill, openStore, textsIn } from "./stores.js";

const ID = 7n;
const KEY = "a";

/** A batch of so many records, `a 12` and so on: each has its sequence as its offset. */
function send(store: LogStore, sequence: number, count: number, epoch = 0): Promise<AppendedBatch> {
  const texts = Array.from({ length: count }, (_, index) => `${KEY} ${sequence + index}`);
  return store.appendBatch(KEY, texts, { producer: { id: ID, epoch, sequence } });
}

async function sendAll(store: LogStore, batches: readonly [number, number][]): Promise<void> {
  for (const [sequence, count] of batches) {
    const { baseOffset } = await send(store, sequence, count);
    expect(baseOffset).toBe(sequence);
  }
}

/** Sessions that each end with a kill, on a disk that keeps what was written. */
async function killedAfter(
  directory: string,
  use: (store: LogStore, fileSystem: FaultyFileSystem) => Promise<unknown>,
): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const store = await openJournaling(directory, {}, { fileSystem });
  await use(store, fileSystem);
  await kill(store, fileSystem);
}

const BATCHES: readonly [number, number][] = [
  [0, 3],
  [3, 1],
  [4, 2],
  [6, 1],
  [7, 5],
  [12, 1],
  [13, 4],
];
const COUNT = 17;

describe("batches of producers in the journal of a store", () => {
  test("share its sync, from the first one on", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(newPath(), {}, { fileSystem });
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await appendTo(store, keys, 1);
    fileSystem.forget();
    for (let sequence = 0; sequence < 3; sequence++) {
      const producer = { id: ID, epoch: 0, sequence };
      const offsets = keys.map((key) => store.append(key, `${sequence}`, { producer }));
      expect(await Promise.all(offsets)).toEqual(keys.map(() => 1 + sequence));
    }
    expect(fileSystem.countOf("datasync", JOURNAL)).toBe(3);
    expect(fileSystem.countOf("datasync")).toBe(3);
  });

  test("come to the segments as if they had been written there", async () => {
    const journaled = newPath();
    await killedAfter(journaled, async (store, fileSystem) => {
      await store.append(KEY, "x");
      await (await store.log(KEY)).truncateTo(0);
      fileSystem.forget();
      await sendAll(store, BATCHES);
      expect(fileSystem.countOf("write", SEGMENT)).toBe(0);
    });
    const direct = newPath();
    const other = await openStore(direct);
    await sendAll(other, BATCHES);
    const store = await openJournaling(journaled);
    const known = await store.producer(KEY, ID);
    expect(known).toEqual(await other.producer(KEY, ID));
    expect(known).toEqual({ epoch: 0, nextSequence: COUNT, lastOffset: COUNT - 1 });
    await store.close();
    await other.close();
    const told = (directory: string) =>
      blocksOf(`${directory}/logs/${KEY}`, 0).map(({ producer, recordCount, attributes }) => ({
        producer,
        recordCount,
        attributes,
      }));
    expect(told(journaled)).toEqual(told(direct));
    // The file that saves the reading of the blocks says the same of both.
    const saved = (directory: string) =>
      readFileSync(`${directory}/logs/${KEY}/producers`).subarray(80);
    expect(saved(journaled)).toEqual(saved(direct));
  });

  test("that are sent again are known wherever the first ones are", async () => {
    const directory = newPath();
    const resendAll = async (store: LogStore) => {
      for (const [sequence, count] of BATCHES.slice(-5)) {
        expect((await send(store, sequence, count)).baseOffset).toBe(sequence);
      }
      expect(await codeOf(send(store, 0, 3))).toBe("SEQUENCE_FORGOTTEN");
      expect(await codeOf(send(store, COUNT + 1, 1))).toBe("SEQUENCE_GAP");
      expect(await textsIn(store, KEY)).toEqual(expected(KEY, COUNT));
    };
    await killedAfter(directory, async (store) => {
      await sendAll(store, BATCHES);
      await resendAll(store);
    });
    // In the journal alone, after each of two crashes.
    for (let crash = 0; crash < 2; crash++) await killedAfter(directory, resendAll);
    // In the segments and in the journal: the journal is freed only after all logs have theirs.
    await killedAfter(directory, async (store) => {
      await resendAll(store);
      await (await store.log(KEY)).close();
    });
    await killedAfter(directory, resendAll);
    const store = await openJournaling(directory);
    await store.close();
    await resendAll(await openJournaling(directory));
  });

  test("that are sent again before the first ones are stored get their answer", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(newPath(), {}, { fileSystem });
    await send(store, 0, 2);
    await nextTurn();
    const hold = fileSystem.hold({ kind: "datasync", path: JOURNAL });
    const sent = [send(store, 2, 2), send(store, 4, 1), send(store, 2, 2), send(store, 3, 1)];
    await hold.reached;
    sent.push(send(store, 4, 1), send(store, 5, 1));
    let isAnswered = false;
    void Promise.race(sent).then(() => {
      isAnswered = true;
    });
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(isAnswered).toBe(false);
    hold.release();
    const offsets = (await Promise.all(sent)).map(({ baseOffset }) => baseOffset);
    expect(offsets).toEqual([2, 4, 2, 3, 4, 5]);
    expect(await textsIn(store, KEY)).toEqual(expected(KEY, 6));
  });

  test("go on from the segments to the journal and back", async () => {
    const directory = newPath();
    await killedAfter(directory, async (store) => {
      let next = 0;
      for (let round = 0; round < 6; round++) {
        for (let index = 0; index < 3; index++, next++) {
          expect((await send(store, next, 1)).baseOffset).toBe(next);
        }
        // Longer than what the journal takes.
        const texts = ["x".repeat(20_000)];
        const producer = { id: ID, epoch: 0, sequence: next };
        expect((await store.appendBatch(KEY, texts, { producer })).baseOffset).toBe(next);
        next++;
        await nextTurn();
      }
    });
    const store = await openJournaling(directory);
    expect(await store.producer(KEY, ID)).toMatchObject({ nextSequence: 24 });
    expect((await textsIn(store, KEY)).length).toBe(24);
  });

  test("are stored once when they are sent again after a failure", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openJournaling(directory, { onError: () => undefined }, { fileSystem });
    await send(store, 0, 2);
    await nextTurn();
    const injection = fileSystem.fail(
      { kind: "write", path: JOURNAL },
      { errno: "ENOSPC", times: 1 },
    );
    const codes = await Promise.all([codeOf(send(store, 2, 2)), codeOf(send(store, 4, 1))]);
    expect(codes).toEqual(["NO_SPACE", "NO_SPACE"]);
    expect(injection.hits).toBe(1);
    expect(await codeOf(send(store, 4, 1))).toBe("SEQUENCE_GAP");
    expect((await send(store, 2, 2)).baseOffset).toBe(2);
    expect((await send(store, 4, 1)).baseOffset).toBe(4);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    expect(await textsIn(again, KEY)).toEqual(expected(KEY, 5));
    expect(await again.producer(KEY, ID)).toMatchObject({ nextSequence: 5 });
  });

  test("are shut out by a later one, and it is opened when they are stored", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    const { id } = await store.openProducer("billing");
    const append = (epoch: number, sequence: number) =>
      store.append(KEY, "x", { producer: { id, epoch, sequence } });
    await append(0, 0);
    await nextTurn();
    const hold = fileSystem.hold({ kind: "datasync", path: JOURNAL });
    const order: string[] = [];
    const late = append(0, 1).then(() => order.push("stored"));
    await hold.reached;
    const opened = store.openProducer("billing").then(() => order.push("opened"));
    // Comes after it in the checkpoint, so that is done by then.
    await store.group("readers").commit({ "warm-up": 1 });
    await nextTurn();
    expect(order).toEqual([]);
    hold.release();
    await Promise.all([late, opened]);
    expect(order).toEqual(["stored", "opened"]);
    expect(await codeOf(append(0, 2))).toBe("PRODUCER_FENCED");
    await nextTurn();
    await append(1, 0);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    expect(await again.producer(KEY, id)).toMatchObject({ epoch: 1, nextSequence: 1 });
    const producer = { id, epoch: 0, sequence: 2 };
    expect(await codeOf(again.append(KEY, "y", { producer }))).toBe("PRODUCER_FENCED");
  });

  test("of an earlier epoch are refused by what stands in the journal alone", async () => {
    const directory = newPath();
    await killedAfter(directory, async (store) => {
      await send(store, 0, 1, 3);
      await nextTurn();
      await store.append(KEY, "x", { producer: { id: ID, epoch: 5, sequence: 0 } });
    });
    const store = await openJournaling(directory);
    expect(await codeOf(send(store, 1, 1, 3))).toBe("PRODUCER_FENCED");
    expect((await send(store, 1, 1, 5)).baseOffset).toBe(2);
  });

  test("are forgotten with what a truncation cuts off", async () => {
    const directory = newPath();
    await killedAfter(directory, async (store) => {
      await sendAll(store, BATCHES);
      await (await store.log(KEY)).truncateTo(6);
      await nextTurn();
      expect(await store.producer(KEY, ID)).toMatchObject({ nextSequence: 6 });
      expect(await codeOf(send(store, 7, 5))).toBe("SEQUENCE_GAP");
      await nextTurn();
      expect((await send(store, 6, 1)).baseOffset).toBe(6);
    });
    const store = await openJournaling(directory);
    expect(await store.producer(KEY, ID)).toMatchObject({ nextSequence: 7 });
    expect(await textsIn(store, KEY)).toEqual(expected(KEY, 7));
  });

  test("outlive the segments that they came to", async () => {
    const directory = newPath();
    await killedAfter(directory, async (store) => {
      await sendAll(store, BATCHES);
      await (await store.log(KEY)).close();
      const log = await store.log(KEY);
      await log.appendBatch(Array.from({ length: 100 }, () => "x"));
      await nextTurn();
      await store.append(KEY, "y", { producer: { id: 8n, epoch: 0, sequence: 0 } });
      await log.deleteBefore(log.endOffset);
    });
    const store = await openJournaling(directory);
    expect(await store.producer(KEY, ID)).toMatchObject({ nextSequence: COUNT });
    expect(await store.producer(KEY, 8n)).toMatchObject({ nextSequence: 1 });
  });
});
