import { SeglogError } from "../../src/errors.js";
import type { LogRecord } from "../../src/format/record.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import type { LogTruth } from "./sample.js";

/** What one call on a log came to. */
export interface Answer {
  readonly call: string;
  /** The first offset that the call asked for; of an iteration, where it ended. */
  readonly offset: number;
  /** The typed failure; `undefined` if it gave what it should. */
  readonly error: SeglogError | undefined;
}

/**
 * Which calls are made: `"once"`, one pass over the records; `"each"`, also each record by itself,
 * and a search; `"thorough"`, also what does the same by another way.
 */
export type Thoroughness = "once" | "each" | "thorough";

/** Something that must never happen. */
export class Violation extends Error {}

/** Fails unless `error` is one that seglog may give. */
export function typed(error: unknown, call: string): SeglogError {
  if (error instanceof SeglogError) return error;
  if (error instanceof Violation) throw error;
  throw new Violation(`${call}: an untyped failure: ${(error as Error)?.stack ?? error}`);
}

/**
 * Reads a log in every way and compares each record with the truth.
 *
 * @returns What the calls came to; no answer of a log that gives other records than the truth.
 * @throws Violation for a wrong record, a record left out, and a failure that has no code.
 */
export async function readEverything(
  log: CommitLog,
  truth: LogTruth,
  thoroughness: Thoroughness,
): Promise<Answer[]> {
  const isThorough = thoroughness === "thorough";
  const answers: Answer[] = [];
  const note = async (call: string, offset: number, run: () => unknown) => {
    let error: SeglogError | undefined;
    try {
      await run();
    } catch (thrown) {
      error = typed(thrown, `${call} ${offset}`);
    }
    answers.push({ call, offset, error });
  };
  const { startOffset } = log;
  if (log.endOffset > truth.endOffset) {
    throw new Violation(`the log ends at ${log.endOffset}, behind its end ${truth.endOffset}`);
  }
  if (startOffset > truth.startOffset) {
    throw new Violation(`the log begins at ${startOffset}, behind its start ${truth.startOffset}`);
  }
  if (thoroughness === "once") return [await iterate("records", log, truth, log.records())];
  for (let offset = startOffset; offset < truth.endOffset; offset++) {
    await note("readSync", offset, () => compare(log.readSync(offset), offset, truth));
    if (!isThorough) continue;
    await note("read", offset, async () => compare(await log.read(offset), offset, truth));
    await note("readFrom", offset, async () => {
      const records = await log.readFrom(offset, { maxRecords: 2 });
      sequence(records, offset, truth, "readFrom");
      if (records.length === 0 && offset < log.endOffset) {
        throw new Violation(`readFrom ${offset}: nothing, though the end is ${log.endOffset}`);
      }
    });
  }
  answers.push(await iterate("records", log, truth, log.records()));
  if (isThorough) {
    answers.push(await iterate("batches", log, truth, recordsOf(log)));
    answers.push(await follow(log, truth));
  }
  for (const timestamp of timestampsOf(truth, isThorough)) {
    await note("offsetForTimestamp", timestamp, async () => {
      const found = await log.offsetForTimestamp(timestamp);
      const right = firstAt(truth, startOffset, log.endOffset, timestamp);
      if (found === right) return;
      throw new Violation(`offsetForTimestamp ${timestamp}: ${found} instead of ${right}`);
    });
  }
  return answers;
}

/** Reads to the end and says how far it came. */
async function iterate(
  call: string,
  log: CommitLog,
  truth: LogTruth,
  records: AsyncIterable<LogRecord>,
): Promise<Answer> {
  let offset = log.startOffset;
  try {
    for await (const record of records) compare(record, offset++, truth);
  } catch (thrown) {
    return { call, offset, error: typed(thrown, call) };
  }
  if (offset === log.endOffset) return { call, offset, error: undefined };
  throw new Violation(`${call} ended at ${offset}, before the end ${log.endOffset}`);
}

async function* recordsOf(log: CommitLog): AsyncGenerator<LogRecord> {
  for await (const batch of log.batches()) yield* batch;
}

/** Reads with `follow` up to the end, waits for more, and is called off. */
async function follow(log: CommitLog, truth: LogTruth): Promise<Answer> {
  const call = "follow";
  const enough = new AbortController();
  let offset = log.startOffset;
  try {
    const records = log.records({ follow: true, signal: enough.signal })[Symbol.asyncIterator]();
    for (;;) {
      const next = records.next();
      // Everything that is there comes before it waits.
      if (offset >= log.endOffset) setImmediate(() => enough.abort());
      const { value, done } = await next;
      if (done === true || offset >= truth.endOffset) {
        throw new Violation(`follow gave something behind the end, or ended, at ${offset}`);
      }
      compare(value, offset++, truth);
    }
  } catch (thrown) {
    if (thrown === enough.signal.reason && offset === log.endOffset) {
      return { call, offset, error: undefined };
    }
    return { call, offset, error: typed(thrown, call) };
  }
}

function sequence(
  records: readonly LogRecord[],
  from: number,
  truth: LogTruth,
  call: string,
): void {
  if (records.length > 2) throw new Violation(`${call} ${from}: more records than asked for`);
  records.forEach((record, index) => {
    compare(record, from + index, truth);
  });
}

/** Fails unless a record is the very one that was appended under this offset. */
function compare(record: LogRecord, offset: number, truth: LogTruth): void {
  const right = truth.records.get(offset);
  if (right !== undefined && isSame(record, right)) return;
  throw new Violation(
    `the record at ${offset} is wrong: ${show(record)} instead of ${right && show(right)}`,
  );
}

function isSame(one: LogRecord, other: LogRecord): boolean {
  const bytes = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
    a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
  const headers = one.headers ?? [];
  return (
    one.offset === other.offset &&
    one.timestamp === other.timestamp &&
    bytes(one.value, other.value) &&
    bytes(one.key, other.key) &&
    (one.headers === undefined) === (other.headers === undefined) &&
    headers.length === (other.headers ?? []).length &&
    headers.every(([name, value], index) => {
      const [rightName, rightValue] = other.headers![index]!;
      return name === rightName && bytes(value, rightValue);
    })
  );
}

function show({ offset, timestamp, value }: LogRecord): string {
  return `${offset}@${timestamp} ${JSON.stringify(Buffer.from(value).toString().slice(0, 40))}`;
}

function timestampsOf(truth: LogTruth, isThorough: boolean): number[] {
  const all = [...truth.records.values()].map(({ timestamp }) => timestamp);
  const some = isThorough ? all.flatMap((each) => [each, each + 1]) : [all.at(-1)!];
  return [...new Set([0, ...some])];
}

/** The first offset of the readable ones whose record has at least this timestamp, or the end. */
function firstAt(truth: LogTruth, from: number, end: number, timestamp: number): number {
  for (let offset = from; offset < end; offset++) {
    if (truth.records.get(offset)!.timestamp >= timestamp) return offset;
  }
  return end;
}
