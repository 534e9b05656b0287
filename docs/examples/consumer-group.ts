// A consumer group: consumers share, for each key, the next offset to read. What was processed but
// not committed before a crash is seen again; what was committed is not.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogStore } from "seglog";

// New on each run, and gone after it; yours would have a name and stay.
const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
process.once("exit", () => rmSync(directory, { recursive: true }));

{
  await using store = await LogStore.open(directory);
  for (const room of ["kitchen", "cellar"]) {
    await store.appendBatch(
      room,
      [1, 2, 3, 4, 5].map((number) => `${room} ${number}`),
    );
  }
}

/** Reads from where the group is; commits after each pair unless it is told to crash before. */
async function consume(store: LogStore, room: string, crashAfter = Infinity): Promise<string[]> {
  const group = store.group("averages");
  const processed: string[] = [];
  let next = (await group.committed([room])).get(room) ?? 0;
  for (;;) {
    const { records, nextOffset } = await store.read(room, next, { maxRecords: 2 });
    if (records.length === 0) return processed;
    for (const { value } of records) {
      processed.push(Buffer.from(value).toString());
      if (processed.length === crashAfter) return processed;
    }
    // The next offset to read, as in Kafka: one more than that of the last record processed.
    await group.commit({ [room]: nextOffset });
    next = nextOffset;
  }
}

{
  await using store = await LogStore.open(directory);
  const processed = await consume(store, "kitchen", 3);
  assert.deepEqual(processed, ["kitchen 1", "kitchen 2", "kitchen 3"]);
}

{
  await using store = await LogStore.open(directory);
  const group = store.group("averages");

  // The third record was processed, but never committed: it comes again.
  assert.deepEqual(await consume(store, "kitchen"), ["kitchen 3", "kitchen 4", "kitchen 5"]);
  assert.equal((await consume(store, "cellar")).length, 5);

  // Nothing new.
  assert.deepEqual(await consume(store, "kitchen"), []);

  // A late commit of a slower consumer never moves the group back; seek does, on purpose.
  await group.commit({ kitchen: 1 });
  assert.equal((await group.committed()).get("kitchen"), 5);
  await group.seek({ kitchen: 4 });
  assert.deepEqual(await consume(store, "kitchen"), ["kitchen 5"]);

  // Another group has a place of its own.
  assert.equal((await store.group("alarms").committed()).size, 0);

  // How far behind the group is.
  await store.append("cellar", "cellar 6");
  for (const [room, next] of await group.committed()) {
    const lag = (await store.bounds(room))!.endOffset - next;
    console.log(`${room}: next ${next}, ${lag} behind`);
    assert.equal(lag, room === "cellar" ? 1 : 0);
  }
}
