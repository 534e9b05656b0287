import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/client/index.js";
import { CommitLog, LogStore, SeglogError } from "../../src/index.js";
import { serve } from "../../src/server/index.js";
import { thrownBy } from "../support/failure.js";
import { newPath } from "../support/temporary-directory.js";

// Wrong options of calls, which a type checker would have noticed: a program in JavaScript must not
// lose what it meant by them in silence.

interface Doors {
  readonly log: CommitLog;
  readonly store: LogStore;
  readonly client: Awaited<ReturnType<typeof connect>>;
}

/** A log, and a store at hand and on a server; each has a record, the stores under the key `k`. */
async function doors(): Promise<Doors> {
  const log = await CommitLog.open(newPath());
  onTestFinished(() => log.close());
  const store = await LogStore.open(newPath());
  onTestFinished(() => store.close());
  await log.append("first");
  await store.append("k", "first");
  const server = await serve({ store, port: 0 });
  onTestFinished(() => server.close());
  const client = await connect(server.url);
  onTestFinished(() => client.close());
  return { log, store, client };
}

/** What each call of a log or a store gets as its options, and all that it refuses. */
const APPEND = [{ producr: 1 }, { signal: 5 }, { producer: 5 }, null, [], 5];
const READ = [{ maxRecord: 1 }, { maxRecords: "1" }, null, [], 5];
const FOLLOW = [{ form: 0 }, { signal: 5 }, null, [], 5];
const ITERATION = [...FOLLOW, { folow: true }, { follow: "yes" }];

const CALLS: [name: string, wrong: unknown[], call: (at: Doors, options: never) => unknown][] = [
  ["log.append", APPEND, ({ log }, options) => log.append("x", options)],
  ["log.appendBatch", APPEND, ({ log }, options) => log.appendBatch(["x"], options)],
  ["log.readFrom", READ, ({ log }, options) => log.readFrom(0, options)],
  ["log.records", ITERATION, ({ log }, options) => first(log.records(options))],
  ["log.batches", ITERATION, ({ log }, options) => first(log.batches(options))],
  ["store.append", APPEND, ({ store }, options) => store.append("k", "x", options)],
  ["store.append, new key", APPEND, ({ store }, options) => store.append("new", "x", options)],
  ["store.appendBatch", APPEND, ({ store }, options) => store.appendBatch("k", ["x"], options)],
  ["store.read", READ, ({ store }, options) => store.read("k", 0, options)],
  ["store.follow", FOLLOW, ({ store }, options) => first(store.follow("k", options))],
  ["client.append", APPEND, ({ client }, options) => client.append("k", "x", options)],
  ["client.appendBatch", APPEND, ({ client }, options) => client.appendBatch("k", ["x"], options)],
  ["client.read", READ, ({ client }, options) => client.read("k", 0, options)],
  ["client.follow", FOLLOW, ({ client }, options) => first(client.follow("k", options))],
  ["consumer.poll", [{ max: 5 }, null, 5], ({ client }, options) => poll(client, options)],
  ["CommitLog.open", [null, [], 5], (_, options) => CommitLog.open(newPath(), options)],
  ["LogStore.open", [null, [], 5], (_, options) => LogStore.open(newPath(), options)],
];

async function first(range: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of range) return;
}

async function poll(client: Doors["client"], options: never): Promise<void> {
  await using consumer = client.consumer({ keys: ["k"] });
  await consumer.poll(options);
}

test.each(CALLS)("%s refuses options that it does not know", async (_, wrong, call) => {
  const at = await doors();
  for (const options of wrong) {
    const thrown = await thrownBy((async () => call(at, options as never))());
    expect(thrown, JSON.stringify(options)).toBeInstanceOf(TypeError);
    const name = typeof options === "object" && Object.keys(options ?? {})[0];
    expect((thrown as Error).message).toContain(name || "options must be an object, not ");
  }
  expect(at.log.endOffset).toBe(1);
  expect(await at.store.bounds("k")).toEqual({ startOffset: 0, endOffset: 1 });
  expect(await at.store.bounds("new")).toBeUndefined();
});

test("a record that was read can be appended as it is", async () => {
  const { log, store } = await doors();
  await store.append("k", await log.read(0));
  expect((await store.read("k", 1)).records).toHaveLength(1);
});

test("a store that is closed cannot be served", async () => {
  const store = await LogStore.open(newPath());
  await store.close();
  const thrown = await thrownBy(serve({ store, port: 0 }));
  expect(thrown).toBeInstanceOf(SeglogError);
  expect((thrown as SeglogError).code).toBe("CLOSED");
});
