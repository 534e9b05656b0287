import type { Durability } from "../../src/index.js";
import type { Random } from "../support/random.js";
import type { ValueShape } from "./values.js";
import type { KeyPlan, Role, Workload } from "./workload.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What a store is put through, in all of its lives. */
export interface Scenario {
  readonly name: string;
  readonly shape: Omit<ValueShape, "seed">;
  readonly keys: readonly KeyPlan[];
  readonly options: Workload["options"];
}

const SMALL: Scenario["shape"] = {
  maxBatch: 12,
  maxValueBytes: 300,
  largeOneIn: 0,
  largeValueBytes: 0,
};

function keys(role: Role, appenders: number, ...names: string[]): KeyPlan[] {
  return names.map((key) => ({ key, role, appenders }));
}

const EVERY_ROLE = [
  ...keys("plain", 3, "orders", "Grüße/ä", "__proto__"),
  ...keys("truncated", 2, "log that is cut"),
  ...keys("trimmed", 2, ".."),
  ...keys("deleted", 1, "now and then"),
];

/** From the usual to what strains one thing: rolls, many files, large writes, deletion. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "every kind of change",
    shape: SMALL,
    keys: EVERY_ROLE,
    options: { segmentBytes: 20 * KIB, blockBytes: KIB },
  },
  {
    name: "a new segment for nearly every group",
    shape: SMALL,
    keys: EVERY_ROLE,
    options: { segmentBytes: 700, blockBytes: 256, indexIntervalBytes: 64 },
  },
  {
    name: "more keys than open files",
    shape: SMALL,
    keys: [
      ...keys("plain", 1, ...Array.from({ length: 32 }, (_, index) => `key ${index}`)),
      ...keys("truncated", 1, "cut"),
      ...keys("deleted", 1, "gone"),
    ],
    options: { segmentBytes: 16 * KIB, maxOpenFiles: 16 },
  },
  {
    name: "records of 1.5 MiB among small ones",
    shape: { ...SMALL, largeOneIn: 6, largeValueBytes: 1.5 * MIB },
    keys: [...keys("plain", 2, "large", "larger"), ...keys("truncated", 2, "cut")],
    options: { segmentBytes: 4 * MIB },
  },
  {
    name: "retention",
    shape: SMALL,
    keys: [...keys("plain", 3, "orders", "bills"), ...keys("trimmed", 2, "trimmed")],
    options: { segmentBytes: 6 * KIB, retention: { bytes: 60 * KIB } },
  },
  {
    name: "segments sealed by age",
    shape: SMALL,
    keys: EVERY_ROLE,
    options: { segmentBytes: 64 * KIB, segmentMs: 15, retention: { ms: 300 } },
  },
];

/** A life of a store in a scenario; what is not part of that is drawn. */
export function makeWorkload(
  { shape, keys: plans, options }: Scenario,
  random: Random,
  given: {
    readonly directory: string;
    readonly seed: number;
    readonly life: number;
    readonly durability: Durability;
    /** Whether it must look at every log first. */
    readonly mustGreet: boolean;
  },
): Workload {
  const { seed, mustGreet, ...rest } = given;
  return {
    ...rest,
    options: {
      ...options,
      compression: random.pick(["none", "lz4"]),
      flushIntervalMs: random.pick([5, 50, 1000]),
    },
    shape: { ...shape, seed },
    keys: plans,
    window: 1 + random.below(4),
    groups: ["first group", "second group"],
    greets: mustGreet || random.next() < 0.7,
  };
}
