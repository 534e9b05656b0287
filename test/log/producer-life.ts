import assert from "node:assert/strict";
import { SeglogError } from "../../src/errors.js";
import type { FileSystem } from "../../src/files/file-system.js";
import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { textOf } from "../support/log-builder.js";

const PRODUCER_ID = 0x1234_5678_9abc_def0n;
/** Appended one batch, long ago: the first one. */
const EARLIER_ID = 7n;
const EARLIER_RECORDS = 2;
/** Records of one session. */
const RECORDS = 18;

/**
 * A producer that sends 0, 1, 2 and so on, alone with its log but for one that has sent the first
 * batch, so that each record has its own value as its offset. It forgets nothing but what it had not been told: when it
 * begins anew it asks the log where it stands, and goes on from there.
 */
export class ProducerLife {
  readonly #directory: string;
  readonly #options: OpenLogOptions;
  /** One past the last record that was acknowledged. */
  acknowledged = 0;
  /** One past the last record that was ever sent. */
  sent = 0;

  constructor(directory: string, options: OpenLogOptions, before?: ProducerLife) {
    this.#directory = directory;
    this.#options = options;
    this.acknowledged = before?.acknowledged ?? 0;
    this.sent = before?.sent ?? 0;
  }

  /** One session, which ends with the first failure that is not worth another try. */
  async session(fileSystem: FileSystem): Promise<void> {
    try {
      const environment = createEnvironment(fileSystem);
      const log = await CommitLog.openOn(environment, this.#directory, this.#options);
      try {
        await this.#send(log);
      } finally {
        await log.close().catch(() => undefined);
      }
    } catch (error) {
      if (!(error instanceof SeglogError)) throw error;
    }
  }

  /** Opens what is there, checks it, and goes on. */
  async check(fileSystem: FileSystem, mayLose: boolean): Promise<void> {
    const environment = createEnvironment(fileSystem);
    const log = await CommitLog.openOn(environment, this.#directory, this.#options);
    await this.#look(log, mayLose);
    await this.#send(log);
    await this.#look(log, false);
    await log.close();
  }

  /** Exactly once, in order. */
  async #look(log: CommitLog, mayLose: boolean): Promise<void> {
    let expected = log.startOffset;
    for await (const { offset, value } of log.records()) {
      assert.equal(offset, expected++);
      assert.equal(textOf(value), valueAt(offset), "the record at its offset");
    }
    assert.equal(expected, log.endOffset);
    assert(log.endOffset <= this.sent, "more than was sent");
    if (mayLose) this.acknowledged = Math.min(this.acknowledged, log.endOffset);
    assert(log.endOffset >= this.acknowledged, "less than was acknowledged");
    const known = await log.producer(PRODUCER_ID);
    const sent = Math.max(0, log.endOffset - EARLIER_RECORDS);
    assert.equal(known?.nextSequence ?? 0, sent, "where the producer stands");
    const earlier = await log.producer(EARLIER_ID);
    const isStored = log.endOffset > 0;
    assert.equal(earlier?.nextSequence, isStored ? EARLIER_RECORDS : undefined, "the earlier one");
  }

  async #send(log: CommitLog): Promise<void> {
    // Whether it got through or not, and whether its segment is there or not, it is there once.
    await this.#batch(log, EARLIER_ID, 0, EARLIER_RECORDS);
    const known = await log.producer(PRODUCER_ID);
    let next = EARLIER_RECORDS + (known?.nextSequence ?? 0);
    const end = next + RECORDS;
    while (next < end) {
      const first = next + 1 + (next % 3);
      const last = first + 2;
      // Two on their way, and the first of them sent twice, as by one who got no answer.
      const results = await Promise.allSettled([
        this.#batch(log, PRODUCER_ID, next, first),
        this.#batch(log, PRODUCER_ID, first, last),
        this.#batch(log, PRODUCER_ID, next, first),
      ]);
      const failed = results.find((result) => result.status === "rejected");
      if (failed === undefined) next = last;
      else if (!isTransient(failed.reason)) throw failed.reason;
      if (next % 4 === 0 && log.startOffset < next - 9) await tolerant(log.deleteBefore(next - 9));
    }
  }

  async #batch(log: CommitLog, id: bigint, from: number, to: number): Promise<void> {
    const values = Array.from({ length: to - from }, (_, index) => valueAt(from + index));
    this.sent = Math.max(this.sent, to);
    const producer = { id, epoch: 0, sequence: id === EARLIER_ID ? from : from - EARLIER_RECORDS };
    const { baseOffset, lastOffset } = await log.appendBatch(values, { producer });
    assert.deepEqual([baseOffset, lastOffset], [from, to - 1], "the offsets that it is told");
    this.acknowledged = Math.max(this.acknowledged, to);
  }
}

/** Long enough that a batch of three takes more than one block. */
function valueAt(sequence: number): string {
  return String(sequence).padEnd(100);
}

function isTransient(error: unknown): boolean {
  const codes: readonly unknown[] = ["NO_SPACE", "TOO_MANY_OPEN_FILES", "SEQUENCE_GAP"];
  if (error instanceof SeglogError) return codes.includes(error.code);
  throw error;
}

async function tolerant(promise: Promise<void>): Promise<void> {
  await promise.catch((error: unknown) => {
    if (!isTransient(error)) throw error;
  });
}
