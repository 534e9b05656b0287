// A transactional outbox: a service records a change and the messages that it causes in one atomic
// batch, and a relay delivers the messages later, each at least once, in order.
//
// Without it, a crash between "change stored" and "message sent" loses the message, or sends one
// for a change that never was.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogRecord, LogStore } from "seglog";

// New on each run, and gone after it; yours would have a name and stay.
const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
process.once("exit", () => rmSync(directory, { recursive: true }));
const KEY = "orders";

/** Takes an order: the order itself and its two messages are stored all together or not at all. */
async function placeOrder(store: LogStore, id: string, customer: string): Promise<void> {
  await store.appendBatch(KEY, [
    { key: id, value: JSON.stringify({ id, customer }), headers: { kind: "order" } },
    { key: id, value: `Thank you, ${customer}!`, headers: { kind: "message", to: "mail" } },
    { key: id, value: `Pack ${id}.`, headers: { kind: "message", to: "warehouse" } },
  ]);
}

function header(record: LogRecord, name: string): string | undefined {
  const found = record.headers?.find(([each]) => each === name);
  return found && Buffer.from(found[1]).toString();
}

/** What messages are sent to: fails now and then, and may be told the same thing twice. */
class Broker {
  readonly received: string[] = [];
  readonly #seen = new Set<number>();
  #calls = 0;

  /** @param id - The record's offset: the same at each attempt, so that a repetition is noticed. */
  async send(id: number, to: string, text: string): Promise<void> {
    this.#calls++;
    if (this.#calls % 3 === 0) throw new Error("broker is away");
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    this.received.push(`${to}: ${text}`);
  }
}

/** Delivers what is new and commits how far it came; called again after each failure. */
async function relay(store: LogStore, broker: Broker): Promise<void> {
  const group = store.group("relay");
  let next = (await group.committed([KEY])).get(KEY) ?? 0;
  for (;;) {
    const { records, nextOffset } = await store.read(KEY, next, { maxRecords: 2 });
    if (records.length === 0) return;
    for (const record of records) {
      if (header(record, "kind") !== "message") continue;
      await broker.send(record.offset, header(record, "to")!, Buffer.from(record.value).toString());
    }
    // Committed only now: what was sent since the last commit is sent again after a crash.
    await group.commit({ [KEY]: nextOffset });
    next = nextOffset;
  }
}

const broker = new Broker();
for (const [id, customer] of [
  ["o-1", "Ada"],
  ["o-2", "Grace"],
  ["o-3", "Edsger"],
]) {
  await using store = await LogStore.open(directory);
  await placeOrder(store, id!, customer!);
  // The service may stop here, or at any place in the relay; the next start delivers the rest.
  await relay(store, broker).catch((error: Error) =>
    console.log(`relay stopped: ${error.message}`),
  );
}

let attempts = 0;
for (let done = false; !done; attempts++) {
  assert.ok(attempts < 10, "the relay never finishes");
  await using store = await LogStore.open(directory);
  done = await relay(store, broker).then(
    () => true,
    () => false,
  );
}

assert.deepEqual(broker.received, [
  "mail: Thank you, Ada!",
  "warehouse: Pack o-1.",
  "mail: Thank you, Grace!",
  "warehouse: Pack o-2.",
  "mail: Thank you, Edsger!",
  "warehouse: Pack o-3.",
]);
console.log(`${broker.received.length} messages delivered, each once, in order`);
