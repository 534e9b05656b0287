import type { LogEnvironment } from "../../src/log/environment.js";
import type { Durability, LogOptions } from "../../src/log/options.js";
import type { Random } from "../support/random.js";

/** What kind of life is lived, all of it decided by a seed. */
export interface Setting {
  /** One log by itself, or the logs of a store with its groups. */
  readonly kind: "log" | "store";
  readonly keys: readonly string[];
  readonly durability: Durability;
  readonly options: LogOptions;
  readonly maxOpenFiles: number;
  /** From which lengths and numbers on a log and its store go one way rather than another. */
  readonly environment: Partial<LogEnvironment>;
  /** Steps of the first session and of those after it. */
  readonly steps: number;
  /** Which change of the disk fails, if one does. */
  readonly failingChange: number | undefined;
  /** Whether a group commits so much at a time that the checkpoint is rewritten. */
  readonly hasStorms: boolean;
}

/** Small enough that a short life rolls, retains and runs out of open files. */
export function randomSetting(durability: Durability, random: Random): Setting {
  const kind = random.pick(["log", "store", "store"] as const);
  return {
    kind,
    keys: kind === "log" ? ["log"] : ["a", "b", "c"].slice(0, 1 + random.below(3)),
    durability,
    options: {
      durability,
      flushIntervalMs: 100,
      segmentBytes: random.pick([256, 500, 1000, 3000]),
      blockBytes: random.pick([256, 256, 600]),
      indexIntervalBytes: random.pick([64, 300]),
      compression: random.pick(["none", "none", "lz4"]),
      ...(random.below(4) === 0 ? { segmentMs: 30 } : {}),
      ...randomRetention(random),
      // The steps that fail are judged; what fails behind them shows in what they leave.
      onError: () => undefined,
    },
    maxOpenFiles: random.pick([16, 16, 128]),
    steps: 6 + random.below(14),
    failingChange: random.below(3) === 0 ? random.below(150) : undefined,
    hasStorms: kind === "store" && random.below(16) === 0,
    environment: {
      smallWriteBytes: random.pick([0, 300, Number.POSITIVE_INFINITY]),
      syncAheadBytes: random.pick([200, 2000, Number.POSITIVE_INFINITY]),
      journalFrom: random.pick([0, 0, 2, Number.POSITIVE_INFINITY]),
      settleBytes: random.pick([300, 2000, Number.POSITIVE_INFINITY]),
      journalSegmentBytes: random.pick([400, 2000]),
      roomFromBytes: random.pick([0, 0, 300, Number.POSITIVE_INFINITY]),
      roomBytes: random.pick([3200, 16_000]),
    },
  };
}

function randomRetention(random: Random): LogOptions {
  const choice = random.below(6);
  if (choice === 0) return { retention: { bytes: random.pick([600, 1500]) } };
  return choice === 1 ? { retention: { ms: 60 } } : {};
}
