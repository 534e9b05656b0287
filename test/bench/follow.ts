import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { CommitLog } from "../../src/index.js";
import { BATCH } from "./append-batches.js";
import { followApart } from "./follow-apart.js";
import { inWindow } from "./in-window.js";
import { type AsyncLog, load } from "./peers.js";
import { ReadCheck } from "./read-check.js";
import type { Records } from "./records.js";
import type { Measured, Place, Workload } from "./workload.js";

const COUNT = 3_000_000;

/** How quickly a follower has what is appended meanwhile. */
export function follow(records: Records): Workload {
  return {
    name: "follow",
    title: `Follow while ${records.byteLength} B are appended in batches of ${BATCH}, not synced`,
    unit: "records/s",
    targets: [],
    contenders: [
      { name: "seglog, same process", kind: "seglog", run: (place) => seglog(place, records) },
      { name: "seglog, other process", kind: "seglog", run: (place) => apart(place, records) },
      {
        name: "async-append-only-log",
        kind: "peer",
        peer: "async-append-only-log",
        run: (place) => asyncLog(place, records),
      },
    ],
  };
}

async function seglog(place: Place, records: Records): Promise<Measured> {
  const log = await CommitLog.open(join(place.directory, "log"), { durability: "os" });
  const count = place.amount(COUNT, BATCH);
  const check = new ReadCheck(records, count);
  const rate = await place.rate(count, () => Promise.all([append(), read()]));
  check.end();
  await log.close();
  return rate;

  function append() {
    return inWindow(records.batches(count, BATCH), (batch) => log.appendBatch(batch));
  }

  async function read() {
    for await (const batch of log.batches({ follow: true })) {
      for (const { value } of batch) check.see(value);
      if (check.isFull) return;
    }
  }
}

async function apart(place: Place, records: Records): Promise<Measured> {
  const log = await CommitLog.open(join(place.directory, "log"), { durability: "os" });
  const count = place.amount(COUNT, BATCH);
  const { done } = await followApart(log.directory, records, count, "batches");
  const rate = await place.rate(count, () =>
    Promise.all([inWindow(records.batches(count, BATCH), (batch) => log.appendBatch(batch)), done]),
  );
  await log.close();
  return rate;
}

async function asyncLog(place: Place, records: Records): Promise<Measured> {
  const path = join(place.directory, "async.log");
  const log = load<AsyncLog>("async-append-only-log")(path, { blockSize: 64 * 1024 });
  const count = place.amount(COUNT, BATCH);
  const check = new ReadCheck(records, count);
  const rate = await place.rate(count, () => Promise.all([append(), read()]));
  check.end();
  await new Promise((resolve) => log.close(resolve));
  return rate;

  async function append() {
    for (const batch of records.batches(count, BATCH)) {
      await new Promise((resolve) => log.append(batch, resolve));
      // It answers before it has written anything; without a turn its stream would not begin.
      await setImmediate();
    }
  }

  function read() {
    return new Promise<void>((resolve, reject) => {
      log.stream({ live: true, offsets: false }).pipe({
        paused: false,
        write: (value) => {
          check.see(value);
          if (check.isFull) resolve();
        },
        end: (error) => reject(error ?? new Error("a live stream ended")),
      });
    });
  }
}
