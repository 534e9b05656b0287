import { appendBatches } from "./append-batches.js";
import { appendSingles } from "./append-singles.js";
import { commits } from "./commits.js";
import { compressedAppends, compressedScans, compressedSize } from "./compression.js";
import { EventRecords } from "./event-records.js";
import { follow } from "./follow.js";
import { followLatency } from "./follow-latency.js";
import { keys, producersKeys } from "./keys.js";
import { memory } from "./memory.js";
import { opening } from "./opening.js";
import { reads, readsSync } from "./random-reads.js";
import { Records } from "./records.js";
import { remoteAppends, remoteReads } from "./remote.js";
import { scan } from "./scan.js";
import type { Target } from "./target.js";
import type { Workload } from "./workload.js";

/** Who appends must not keep others waiting. */
const PROMPT: Target = { contender: "seglog", delayAtMostMs: 20 };

/** Everything that is measured, in the order in which it is told. */
export function workloads(): Workload[] {
  const small = new Records(100);
  const large = new Records(1024);
  const events = new EventRecords();
  const singles = { records: small, targets: [PROMPT] };
  const unsynced = { ...singles, isSynced: false };
  const synced = { ...singles, isSynced: true };
  return [
    appendBatches("batches-100", small, 15_000_000, [
      { contender: "seglog", over: "lmdb", atLeast: 5 },
      { contender: "seglog", over: "length prefix + writeSync", atLeast: 1.5 },
      { contender: "seglog", over: "bare pipeline", atLeast: 0.8 },
      PROMPT,
    ]),
    appendBatches("batches-1024", large, 1_500_000, [
      { contender: "seglog", over: "bare pipeline", atLeast: 0.8 },
      { contender: "seglog", over: "write, 1 MiB a call", atLeast: 0.6 },
      PROMPT,
    ]),
    appendSingles({ ...unsynced, name: "singles-1", callers: 1, count: 60_000 }),
    appendSingles({ ...unsynced, name: "singles-64", callers: 64, count: 600_000 }),
    appendSingles({
      ...unsynced,
      name: "singles-1024",
      callers: 1024,
      count: 1_000_000,
      targets: [{ contender: "seglog", over: "lmdb", atLeast: 1.5 }, PROMPT],
    }),
    appendSingles({
      ...synced,
      name: "synced-1",
      callers: 1,
      count: 4000,
      targets: [{ contender: "seglog", over: "write + fdatasync", atLeast: 1 / 1.15 }, PROMPT],
    }),
    appendSingles({
      ...synced,
      name: "synced-64",
      callers: 64,
      count: 200_000,
      targets: [
        { contender: "seglog", over: "bare group commit", atLeast: 0.85 },
        { contender: "seglog", over: "lmdb", atLeast: 5 },
        { contender: "seglog", over: "better-sqlite3", atLeast: 5 },
        PROMPT,
      ],
    }),
    appendSingles({
      ...synced,
      name: "synced-1024",
      callers: 1024,
      count: 1_000_000,
      targets: [
        { contender: "seglog", over: "bare group commit", atLeast: 0.85 },
        { contender: "seglog", over: "lmdb", atLeast: 5 },
        { contender: "seglog", over: "better-sqlite3", atLeast: 5 },
        PROMPT,
      ],
    }),
    scan("scan-100", small, 3_000_000, [
      { contender: "seglog batches()", over: "async-append-only-log", atLeast: 1 },
      { contender: "seglog batches()", over: "lmdb", atLeast: 6 },
      { contender: "seglog records()", over: "seglog batches()", atLeast: 0.4 },
    ]),
    readsSync(small),
    reads(small, 64),
    followLatency(small),
    follow(small),
    opening(large),
    keys({
      name: "keys",
      records: small,
      isSynced: false,
      counts: { 1: 1_000_000, 100: 1_000_000, 10000: 20_000 },
      peerCount: 1_000_000,
      targets: [],
    }),
    keys({
      name: "keys-synced",
      records: small,
      isSynced: true,
      counts: { 1: 1_000_000, 100: 400_000, 10000: 200_000 },
      peerCount: 200_000,
      targets: [{ contender: "10,000 keys", over: "1 key", atLeast: 0.5 }],
    }),
    producersKeys("keys-producers", small, { 100: 400_000, 10000: 200_000 }, [
      { contender: "10,000 keys, producers", over: "10,000 keys", atLeast: 0.5 },
    ]),
    compressedAppends(events),
    compressedScans(events),
    compressedSize(events),
    memory(),
    commits(),
    remoteAppends("remote-append", small, 300_000, false),
    remoteAppends("remote-append-synced", small, 300_000, true),
    remoteReads("remote-read", small, 500_000),
  ];
}
