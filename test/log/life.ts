import { expect } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { textOf } from "../support/log-builder.js";

/** Small enough that a short life rolls several times. */
export const LIFE_OPTIONS: OpenLogOptions = { segmentBytes: 500, blockBytes: 256 };

/**
 * What must be true of a log after whatever happened to its writer: what was acknowledged is there
 * under its offset; the rest is something that was tried, once, in the order in which it was tried.
 */
export class Expectation {
  /** Values that were given to the log, in that order. */
  readonly #tried: string[] = [];
  /** Acknowledged values by offset. */
  readonly #acknowledged = new Map<number, string>();
  #starts = new Set([0]);

  /** A new value, which is in doubt until it is acknowledged. */
  next(): string {
    const value = `life-${this.#tried.length}`;
    this.#tried.push(value);
    return value;
  }

  acknowledge(offset: number, value: string): void {
    expect(this.#acknowledged.has(offset), `offset ${offset} is given out twice`).toBe(false);
    this.#acknowledged.set(offset, value);
  }

  /** A truncation was begun: from then on nobody can count on what lies behind it. */
  truncate(offset: number): void {
    for (const each of [...this.#acknowledged.keys()]) {
      if (each >= offset) this.#acknowledged.delete(each);
    }
  }

  /** A deletion was begun. */
  deleteBefore(offset: number): void {
    this.#starts.add(offset);
  }

  /** It is done. */
  deletedBefore(offset: number): void {
    this.#starts = new Set([offset]);
  }

  /** One more session, which may fail anywhere. */
  goOn(directory: string, options: OpenLogOptions, system: FaultyFileSystem): Promise<void> {
    return session(directory, options, system, this);
  }

  async check(log: CommitLog): Promise<void> {
    const { kind } = log.recovery;
    expect([...this.#starts], `start offsets of the log, ${kind}`).toContain(log.startOffset);
    const values = new Map<number, string>();
    let order = -1;
    let expected = log.startOffset;
    for await (const { offset, value } of log.records()) {
      expect(offset, "offsets follow each other").toBe(expected++);
      const place = this.#tried.indexOf(textOf(value));
      expect(place, `${textOf(value)} at ${offset} is made up, or out of order`).toBeGreaterThan(
        order,
      );
      order = place;
      values.set(offset, textOf(value));
    }
    expect(expected).toBe(log.endOffset);
    for (const [offset, value] of this.#acknowledged) {
      if (offset < log.startOffset) continue;
      expect(values.get(offset), `the acknowledged record ${offset}`).toBe(value);
      expect(textOf(log.readSync(offset).value)).toBe(value);
    }
  }
}

/** Runs a step that may fail, but only as seglog fails. Returns whether it worked. */
async function attempt(step: () => Promise<unknown>): Promise<boolean> {
  try {
    await settled(step());
    return true;
  } catch (error) {
    if (error instanceof SeglogError) return false;
    throw error;
  }
}

/** Long after anything that is going to happen has happened. */
const FOREVER_MS = 20_000;

/** Fails for a promise that hangs, so that the test can say which. */
function settled<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("a promise never settles")), FOREVER_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function appendOne(log: CommitLog, expectation: Expectation): Promise<void> {
  const value = expectation.next();
  expectation.acknowledge(await log.append(value), value);
}

async function appendBatch(log: CommitLog, expectation: Expectation): Promise<void> {
  // Long enough to take more than one block.
  const values = [0, 1, 2].map(() => expectation.next());
  const { baseOffset, lastOffset } = await log.appendBatch(values);
  expect(lastOffset - baseOffset).toBe(2);
  for (const [index, value] of values.entries()) expectation.acknowledge(baseOffset + index, value);
}

/** One session of a writer that does a little of everything. */
async function session(
  directory: string,
  options: OpenLogOptions,
  system: FaultyFileSystem,
  expectation: Expectation,
): Promise<void> {
  let log: CommitLog | undefined;
  const isOpen = await attempt(async () => {
    log = await CommitLog.openOn(createEnvironment(system), directory, options);
  });
  if (!isOpen || log === undefined) return;
  const open = log;
  const one = () => attempt(() => appendOne(open, expectation));
  await one();
  await one();
  await Promise.all([one(), one(), attempt(() => appendBatch(open, expectation)), one()]);
  await one();
  await attempt(() => open.readFrom(open.startOffset));
  await attempt(async () => open.segments());
  const cutAt = Math.max(open.endOffset - 2, open.startOffset);
  await attempt(async () => {
    expectation.truncate(cutAt);
    await open.truncateTo(cutAt);
  });
  await one();
  await attempt(() => open.flush());
  const start = Math.min(open.startOffset + 4, open.endOffset);
  await attempt(async () => {
    expectation.deleteBefore(start);
    await open.deleteBefore(start);
    expectation.deletedBefore(start);
  });
  await one();
  await attempt(() => open.offsetForTimestamp(0));
  await attempt(() => open.close());
}

/** A session that looks at what there is, adds to it and ends. */
async function briefSession(
  directory: string,
  options: OpenLogOptions,
  system: FaultyFileSystem,
  expectation: Expectation,
): Promise<void> {
  let log: CommitLog | undefined;
  const isOpen = await attempt(async () => {
    log = await CommitLog.openOn(createEnvironment(system), directory, options);
  });
  if (!isOpen || log === undefined) return;
  const open = log;
  await attempt(() => open.read(open.startOffset));
  await attempt(() => appendOne(open, expectation));
  await attempt(() => open.close());
}

/** A whole life: two sessions, the second one on what the first one left. */
export async function live(
  directory: string,
  options: OpenLogOptions,
  system: FaultyFileSystem,
): Promise<Expectation> {
  const expectation = new Expectation();
  await session(directory, options, system, expectation);
  await briefSession(directory, options, system, expectation);
  return expectation;
}

/** Opens what a life left, on a healthy disk, and checks that it is right and goes on. */
export async function checkLegacy(
  directory: string,
  options: OpenLogOptions,
  expectation: Expectation,
  system = new FaultyFileSystem(),
): Promise<void> {
  const log = await CommitLog.openOn(createEnvironment(system), directory, options);
  await expectation.check(log);
  await appendOne(log, expectation);
  await log.close();
  const again = await CommitLog.openOn(createEnvironment(system), directory, options);
  expect(again.recovery.kind).toBe("clean");
  await expectation.check(again);
  await again.close();
  expect(system.openPaths).toEqual([]);
}

/** How many lives are lived at a time. */
const AT_A_TIME = 4;

/** Runs `run` for each item, a few at a time; all are done, or have failed, when it settles. */
export async function eachOf<T>(
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await run(item);
  };
  const results = await Promise.allSettled(Array.from({ length: AT_A_TIME }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
