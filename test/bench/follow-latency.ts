import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { CommitLog } from "../../src/index.js";
import { nowUs } from "./clock.js";
import { followApart } from "./follow-apart.js";
import { percentile } from "./percentile.js";
import type { Records } from "./records.js";
import type { Contender, Place, Workload } from "./workload.js";

const APPENDS = 20_000;

/** Follows the next records of a log, from when this resolves; `done` has when each was seen. */
type Follow = (
  log: CommitLog,
  records: Records,
  count: number,
) => Promise<{ readonly done: Promise<Float64Array> }>;

/** The time from the acknowledgement of an append until a follower has the record. */
export function followLatency(records: Records): Workload {
  const contender = (name: string, follow: Follow, share: number): Contender => ({
    name,
    kind: "seglog",
    run: (place) => latencyUs(place, records, follow, share),
  });
  return {
    name: "follow-latency",
    title: `From an append of ${records.byteLength} B, one at a time, to its follower, not synced`,
    unit: "µs",
    targets: [{ contender: "same process, p50", atMost: 1000 }],
    contenders: [
      contender("same process, p50", inProcess, 0.5),
      contender("same process, p99", inProcess, 0.99),
      contender("other process, p50", inOtherProcess, 0.5),
      contender("other process, p99", inOtherProcess, 0.99),
    ],
  };
}

async function latencyUs(
  place: Place,
  records: Records,
  follow: Follow,
  share: number,
): Promise<number> {
  const log = await CommitLog.open(join(place.directory, "log"), { durability: "os" });
  const count = place.amount(APPENDS);
  const acknowledgedAt = new Float64Array(count);
  const { done } = await follow(log, records, count);
  let seenAt!: Float64Array;
  await place.elapsed(async () => {
    for (let index = 0; index < count; index++) {
      await log.append(records.at(index));
      acknowledgedAt[index] = nowUs();
      await setImmediate();
    }
    seenAt = await done;
  });
  await log.close();
  // A follower in another process may see a record when it is published, which is before whoever
  // appended it has his turn: that is no wait at all.
  const latencies = seenAt.map((time, index) => Math.max(0, time - acknowledgedAt[index]!));
  return percentile(latencies, share);
}

async function inProcess(log: CommitLog, records: Records, count: number) {
  const seenAt = new Float64Array(count);
  return { done: read() };

  async function read() {
    let seen = 0;
    for await (const { value } of log.records({ from: log.endOffset, follow: true })) {
      seenAt[seen] = nowUs();
      records.check(seen++, value);
      if (seen === count) break;
    }
    return seenAt;
  }
}

function inOtherProcess({ directory }: CommitLog, records: Records, count: number) {
  return followApart(directory, records, count, "records");
}
