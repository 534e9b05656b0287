import { join } from "node:path";
import { replaceFile } from "../files/atomic-file.js";
import { isMissing } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import type { HandlePool } from "../files/handle-pool.js";
import { runSteps } from "../files/steps.js";
import { readFile } from "../files/whole-file.js";
import { BlockAttribute, type BlockHeader, type BlockProducer } from "../format/block-header.js";
import { isInvalidHeader } from "../format/envelope.js";
import { PRODUCERS_FILE } from "../format/file-names.js";
import type { LogEnd } from "../format/log-metadata.js";
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  MOST_SNAPSHOT_BYTES,
  type ProducerSnapshot,
  type ProducerState,
} from "../format/producer-snapshot.js";
import { blockError, readRun, SCAN_CHUNK_BYTES } from "../segment/block-source.js";
import { hasLastBlock } from "../segment/last-block.js";
import type { Segment } from "../segment/segment.js";
import { afterBatch, fenced, judgeBatch, ProducerStates, type Verdict } from "./producer-states.js";

/** What is needed of a log to know its producers. */
export interface ProducingLog {
  readonly directory: string;
  readonly logId: Uint8Array;
  readonly segments: readonly Segment[];
}

/** A batch of a producer, as it is judged. */
interface ProducersBatch {
  readonly producer: BlockProducer | undefined;
  readonly recordCount: number;
}

/** The epoch that a producer was opened with last, if it was. */
export type OpenedEpoch = (id: bigint) => number | undefined;

/**
 * The producers of a log: which batches of theirs it has, so that none is stored twice. What it has
 * is told by the blocks. The file `producers` saves the reading of all of them, and keeps what
 * retention removes.
 */
export class Producers {
  readonly #fileSystem: FileSystem;
  readonly #pool: HandlePool;
  readonly #log: ProducingLog;
  readonly #openedEpoch: OpenedEpoch;
  /** As after what was written last; unknown until it is first needed. */
  #states: ProducerStates | undefined;
  /** Base offset of the segment that the file names, if it is known to be of use. */
  #savedBaseOffset = -1;
  /** Whether something was noted since the file was written. */
  #isChanged = false;

  constructor(
    fileSystem: FileSystem,
    pool: HandlePool,
    log: ProducingLog,
    openedEpoch: OpenedEpoch,
  ) {
    this.#fileSystem = fileSystem;
    this.#pool = pool;
    this.#log = log;
    this.#openedEpoch = openedEpoch;
  }

  /** What is known of a producer, once {@link load} was called. */
  state(id: bigint): ProducerState | undefined {
    return this.#states?.all.get(id);
  }

  /**
   * Finds out what the log has, unless that is known.
   *
   * @param end - Where the log ends.
   * @throws CorruptionError if blocks are damaged that had to be read.
   */
  async load(end: LogEnd): Promise<void> {
    if (this.#states !== undefined) return;
    const snapshot = await this.#readSnapshot();
    const states = new ProducerStates(snapshot?.producers);
    for (const segment of this.#log.segments) {
      if (segment.baseOffset < (snapshot?.activeBaseOffset ?? 0)) continue;
      const isNamed = segment.baseOffset === snapshot?.activeBaseOffset;
      const from = isNamed ? snapshot.endPosition : await runSteps(segment.firstPosition());
      const isActive = segment.baseOffset === end.activeBaseOffset;
      const to = isActive ? end.endPosition : await runSteps(segment.end());
      await noteBlocks(states, segment, from, to);
    }
    this.#states = states;
    this.#savedBaseOffset = snapshot?.activeBaseOffset ?? -1;
    this.#isChanged = false;
  }

  /** What was known is not to be relied upon: the log was cut. */
  forget(): void {
    this.#states = undefined;
    this.#savedBaseOffset = -1;
  }

  /**
   * Judges batches, each as if those before it that follow on what is stored were stored, too. Only
   * after {@link load}.
   */
  judge(batches: readonly ProducersBatch[]): (Verdict | undefined)[] {
    const ahead = new Map<bigint, ProducerState>();
    return batches.map(({ producer, recordCount }) => {
      if (producer === undefined) return undefined;
      const { id, epoch } = producer;
      const opened = this.#openedEpoch(id) ?? 0;
      if (epoch < opened) return fenced(producer, opened);
      const state = ahead.get(id) ?? this.state(id);
      const verdict = judgeBatch(state, producer, recordCount);
      // Where it will be is not known yet, nor needed to judge what comes after it.
      if (verdict === "follows") ahead.set(id, afterBatch(state, producer, recordCount, 0));
      return verdict;
    });
  }

  /** Notes batches that were written one after the other. */
  note(batches: readonly ProducersBatch[], baseOffset: number): void {
    let offset = baseOffset;
    for (const { producer, recordCount } of batches) {
      if (producer !== undefined) {
        this.#states!.note(producer, recordCount, offset);
        this.#isChanged = true;
      }
      offset += recordCount;
    }
  }

  /** Whether the file has to be written before segments in front of this base offset may go. */
  mustSaveBefore(firstBaseOffset: number): boolean {
    return this.#savedBaseOffset < firstBaseOffset;
  }

  /** Whether there is something to write. */
  get isUnsaved(): boolean {
    return this.#states !== undefined && this.#isChanged;
  }

  /**
   * Writes the file; it is on stable storage when this resolves. Only after {@link load}.
   *
   * @param end - Where the log ends, on stable storage, with all that was noted.
   */
  async save(end: LogEnd): Promise<void> {
    const { logId } = this.#log;
    const bytes = encodeProducerSnapshot({ ...end, logId, producers: this.#states!.all });
    await this.#pool.transient(() => replaceFile(this.#fileSystem, this.#path, bytes));
    this.#savedBaseOffset = end.activeBaseOffset;
    this.#isChanged = false;
  }

  /** What the file says, if it is of this log as it is now. */
  async #readSnapshot(): Promise<ProducerSnapshot | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#pool.transient(() =>
        readFile(this.#fileSystem, this.#path, MOST_SNAPSHOT_BYTES),
      );
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const snapshot = decodeProducerSnapshot(bytes);
    if (isInvalidHeader(snapshot)) return undefined;
    if (Buffer.compare(snapshot.logId, this.#log.logId) !== 0) return undefined;
    const { segments } = this.#log;
    const segment = segments.find(({ baseOffset }) => baseOffset === snapshot.activeBaseOffset);
    if (segment === undefined || !(await runSteps(hasLastBlock(segment, snapshot)))) {
      return undefined;
    }
    return snapshot;
  }

  get #path(): string {
    return join(this.#log.directory, PRODUCERS_FILE);
  }
}

/** Notes the producers of the blocks in `[from, to)` of a segment, where blocks begin and end. */
async function noteBlocks(
  states: ProducerStates,
  segment: Segment,
  from: number,
  to: number,
): Promise<void> {
  const source = await runSteps(segment.source());
  const buffer = new Uint8Array(Math.max(Math.min(SCAN_CHUNK_BYTES, to - from), 0));
  let isInBatch = false;
  for (let position = from; position < to; ) {
    const run = await runSteps(readRun(source, position, to, SCAN_CHUNK_BYTES, buffer));
    for (const { header } of run.blocks) {
      noteBlock(states, header, isInBatch);
      isInBatch = (header.attributes & BlockAttribute.lastOfBatch) === 0;
    }
    if (run.invalid !== undefined) throw blockError(segment.path, run.nextPosition, run.invalid);
    position = run.nextPosition;
  }
}

function noteBlock(states: ProducerStates, header: BlockHeader, isInBatch: boolean): void {
  const { producer, recordCount, baseOffset } = header;
  if (producer === undefined) return;
  if (isInBatch) states.extend(producer, recordCount, baseOffset);
  else states.note(producer, recordCount, baseOffset);
}
