import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { fileLength, flipBit } from "../support/damage.js";
import { codeOf, thrownBy } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { leaveUnclean, openStore } from "./stores.js";

describe("a producer with a name", () => {
  test("has the same id each time, and the next epoch, also in another session", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    const first = await store.openProducer("billing");
    const [second, third, other] = await Promise.all([
      store.openProducer("billing"),
      store.openProducer("billing"),
      store.openProducer("__proto__"),
    ]);
    await store.close();
    const again = await openStore(directory);
    const fourth = await again.openProducer("billing");
    const { id } = first;
    expect([first, second, third, fourth]).toEqual([
      { id, epoch: 0 },
      { id, epoch: 1 },
      { id, epoch: 2 },
      { id, epoch: 3 },
    ]);
    expect(other.id).not.toBe(id);
    expect(other.epoch).toBe(0);
  });

  test("keeps its name through rewriting of the checkpoint", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    const { id } = await store.openProducer("billing");
    await store.append("key", "x");
    const group = store.group("g".repeat(200));
    for (let index = 0; index < 600; index++) await group.seek({ key: index % 2 });
    await store.close();
    const again = await openStore(directory);
    expect(await again.openProducer("billing")).toEqual({ id, epoch: 1 });
  });

  test("never gets an epoch twice, also where the checkpoint is damaged", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await store.openProducer("billing");
    const second = await store.openProducer("billing");
    await store.append("key", "old", { producer: { ...second, sequence: 0 } });
    await store.close();
    const path = `${directory}/committed-offsets`;
    flipBit(path, fileLength(path) - 1);
    const again = await openStore(directory);
    expect(again.recovery.checkpointDamage).toBeDefined();
    const third = await again.openProducer("billing");
    expect(third.id).toBe(second.id);
    expect(third.epoch).toBeGreaterThan(second.epoch);
    expect(await again.append("key", "new", { producer: { ...third, sequence: 0 } })).toBe(1);
    await again.close();
    const last = await openStore(directory);
    expect((await last.openProducer("billing")).epoch).toBe(third.epoch + 1);
  });

  test("is on stable storage when it is told", async () => {
    const system = new FaultyFileSystem();
    const store = await openStore(newPath(), { durability: "os" }, system);
    await store.openProducer("a");
    const synced = system.countOf("datasync", /committed-offsets/);
    await store.openProducer("a");
    expect(system.countOf("datasync", /committed-offsets/)).toBe(synced + 1);
  });

  test("can append no more once it was opened again, in any key", async () => {
    const store = await openStore(newPath());
    const old = await store.openProducer("billing");
    const producer = { ...old, sequence: 0 };
    await store.append("one", "1", { producer });
    const late = store
      .append("one", "2", { producer: { ...old, sequence: 1 } })
      .catch(() => undefined);
    const opened = await store.openProducer("billing");
    // It was on its way: either it was stored before the other was opened, or not at all.
    const { endOffset } = (await store.bounds("one"))!;
    await late;
    expect((await store.bounds("one"))!.endOffset).toBe(endOffset);
    expect(await codeOf(store.append("one", "3", { producer: { ...old, sequence: 2 } }))).toBe(
      "PRODUCER_FENCED",
    );
    expect(await codeOf(store.append("two", "1", { producer }))).toBe("PRODUCER_FENCED");
    expect(await store.append("two", "1", { producer: { ...opened, sequence: 0 } })).toBe(0);
  });

  test("is opened only when what was on its way before is done", async () => {
    const system = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, system);
    const old = await store.openProducer("billing");
    await store.append("one", "1", { producer: { ...old, sequence: 0 } });
    await store.append("two", "x");
    const hold = system.hold({ kind: "datasync", path: /one.*\.log$/ });
    const order: string[] = [];
    const late = store
      .append("one", "2", { producer: { ...old, sequence: 1 } })
      .then(() => order.push("stored"));
    await hold.reached;
    const opened = store.openProducer("billing").then(() => order.push("opened"));
    // Comes after it in the checkpoint, so that is done by then.
    await store.group("readers").commit({ two: 1 });
    await setImmediate();
    expect(order).toEqual([]);
    hold.release();
    await Promise.all([late, opened]);
    expect(order).toEqual(["stored", "opened"]);
  });

  test.each([[""], ["\ud800"], ["x".repeat(256)]])("of %j is refused", async (name) => {
    const store = await openStore(newPath());
    expect(await codeOf(store.openProducer(name))).toBe("INVALID_KEY");
  });

  test("is a string", async () => {
    const store = await openStore(newPath());
    expect(await thrownBy(store.openProducer(1 as unknown as string))).toBeInstanceOf(TypeError);
  });
});

describe("batches of producers", () => {
  test("go to segments and others to the journal, in the order of the calls", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    const calls: Promise<number>[] = [];
    for (let index = 0; index < 40; index++) {
      const producer = { id: 1n, epoch: 0, sequence: index };
      calls.push(store.append("both", `a${index}`, { producer }));
      for (let key = 0; key < 10; key++) calls.push(store.append(`key-${key}`, "x"));
      calls.push(store.append("both", `b${index}`));
    }
    await Promise.all(calls);
    const expected = Array.from({ length: 40 }, (_, index) => [`a${index}`, `b${index}`]).flat();
    const values = async (each: typeof store) =>
      (await each.read("both", 0)).records.map(({ value }) => Buffer.from(value).toString());
    expect(await values(store)).toEqual(expected);
    await store.close();
    const again = await openStore(directory);
    expect(await values(again)).toEqual(expected);
    expect(await again.producer("both", 1n)).toMatchObject({ nextSequence: 40 });
  });

  test("are those that the caller's object said at the call", async () => {
    const directory = newPath();
    await leaveUnclean(directory, {}, (store) =>
      store.append("key", "a", { producer: { id: 1n, epoch: 0, sequence: 0 } }),
    );
    const store = await openStore(directory);
    const producer = { id: 1n, epoch: 0, sequence: 0 };
    const first = store.append("key", "a", { producer });
    producer.sequence = 1;
    const second = store.appendBatch("key", ["b"], { producer });
    producer.sequence = 7;
    expect(await first).toBe(0);
    expect((await second).baseOffset).toBe(1);
    const { records } = await store.read("key", 0);
    expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(["a", "b"]);
  });

  test("tell nothing of a key that is not there, and make none", async () => {
    const store = await openStore(newPath());
    expect(await store.producer("key", 1n)).toBeUndefined();
    expect(store.keys()).toEqual([]);
  });

  test("begin anew with a key that was deleted", async () => {
    const store = await openStore(newPath());
    const producer = { id: 1n, epoch: 0, sequence: 0 };
    await store.append("key", "x", { producer });
    await store.deleteKey("key");
    expect(await store.append("key", "x", { producer })).toBe(0);
    expect((await store.read("key", 0)).records.length).toBe(1);
  });
});
