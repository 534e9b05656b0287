import type { OpenFile } from "./file-system.js";
import type { PooledFile } from "./handle-pool.js";
import { readFully, readFullySync } from "./whole-file.js";

/** One thing that a reading procedure asks of a file. */
export type Step =
  | {
      readonly kind: "read";
      readonly file: PooledFile;
      readonly target: Uint8Array;
      readonly position: number;
    }
  | { readonly kind: "size"; readonly file: PooledFile };

/**
 * A reading procedure written once for both worlds: a generator that yields what it wants to read
 * and is given the number of bytes read, or the file's length. {@link runSteps} awaits the disk,
 * {@link runStepsSync} blocks for it.
 */
export type Steps<Result> = Generator<Step, Result, number>;

/** Asks for bytes; the value of `yield*` is how many there were. */
export function* readStep(file: PooledFile, target: Uint8Array, position: number): Steps<number> {
  return yield { kind: "read", file, target, position };
}

/** Asks for the length of a file. */
export function* sizeStep(file: PooledFile): Steps<number> {
  return yield { kind: "size", file };
}

/** Runs a reading procedure without blocking the event loop. */
export async function runSteps<Result>(steps: Steps<Result>): Promise<Result> {
  return continueSteps(steps, steps.next());
}

async function continueSteps<Result>(
  steps: Steps<Result>,
  first: IteratorResult<Step, Result>,
): Promise<Result> {
  let next = first;
  while (next.done !== true) {
    const step = next.value;
    let answer: number;
    try {
      const file = await step.file.acquire();
      try {
        answer = step.kind === "size" ? await file.size() : await fill(file, step);
      } finally {
        step.file.release();
      }
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(answer);
  }
  return next.value;
}

/**
 * As {@link runSteps}, for what is mostly in memory: gives the result itself where nothing has to
 * be read, so that whoever is in a hurry need not wait a turn for it.
 */
export function runStepsEagerly<Result>(steps: Steps<Result>): Result | Promise<Result> {
  const first = steps.next();
  return first.done === true ? first.value : continueSteps(steps, first);
}

/** Runs a reading procedure to its end, blocking the event loop. */
export function runStepsSync<Result>(steps: Steps<Result>): Result {
  let next = steps.next();
  while (next.done !== true) {
    const step = next.value;
    let answer: number;
    try {
      const file = step.file.acquireSync();
      try {
        answer =
          step.kind === "size" ? file.sizeSync() : readFullySync(file, step.target, step.position);
      } finally {
        step.file.release();
      }
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(answer);
  }
  return next.value;
}

function fill(file: OpenFile, step: Extract<Step, { kind: "read" }>): Promise<number> {
  return readFully(file, step.target, step.position);
}
