import assert from "node:assert/strict";
import { FAULTS, type FaultKind } from "./faults.js";
import type { HealsWhen, World } from "./world.js";

/** What is done on a disk while it fails, and afterwards. */
export interface Life {
  /** A world of its own at the moment at which this begins, without any fault yet. */
  begin(): World;
  /** What may be struck. Ends with the disk sound. */
  run(world: World): Promise<void>;
}

/** A life by its name; what comes before it has not been done yet. */
export interface PlannedLife {
  readonly name: string;
  prepare(): Promise<Life>;
}

/** How long a fault lasts. */
interface Lasting {
  readonly name: string;
  readonly times: number;
  readonly healsWhen: HealsWhen;
}

const LASTING: readonly Lasting[] = [
  { name: "once", times: 1, healsWhen: "never" },
  { name: "from then on", times: Number.POSITIVE_INFINITY, healsWhen: "space returns" },
];

/**
 * Lives a life again and again, with each fault; each time another operation is the first to fail.
 *
 * @param stride - Strike one operation of so many, unless all are asked for.
 */
export async function everyFault(planned: PlannedLife, stride = 1): Promise<void> {
  const life = await planned.prepare();
  const step = STRIKES_ALL ? 1 : stride;
  let lives = 0;
  let first = 0;
  for (const fault of FAULTS) {
    for (const lasting of LASTING) {
      lives += await everyLife(life, fault, lasting, (at) => (at + first) % step === 0);
      first++;
    }
  }
  assert(lives > 50, `${lives} lives are too few`);
}

/**
 * SEGLOG_FAULTS=all strikes every operation, also where the default strikes one of a few, each
 * fault others.
 */
const STRIKES_ALL = process.env.SEGLOG_FAULTS === "all";

/** @returns How many lives there were. */
async function everyLife(
  life: Life,
  fault: FaultKind,
  { times, healsWhen }: Lasting,
  strikes: (at: number) => boolean,
): Promise<number> {
  const unharmed = life.begin();
  await life.run(unharmed);
  await unharmed.end();
  const { system, spaceReturnedAt } = unharmed;
  assert(spaceReturnedAt > 0, "the life says when space returns");
  const targets = system.operations
    .filter((each) => each.number < spaceReturnedAt && fault.befalls(each))
    .filter((_, at) => strikes(at));
  for (const { number, kind, path } of targets) {
    const world = life.begin();
    world.inject(fault, number, times, healsWhen);
    try {
      await life.run(world);
      await world.end();
    } catch (error) {
      world.release();
      const what = `${fault.name} at operation ${number}, ${kind} of ${path}`;
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
  }
  return targets.length;
}
