import { setImmediate as nextTurn } from "node:timers/promises";
import { CorruptionError, SeglogError } from "../errors.js";
import { isMissing } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import type { HandlePool } from "../files/handle-pool.js";
import { runSteps } from "../files/steps.js";
import { BlockAttribute, type BlockHeader, type BlockProducer } from "../format/block-header.js";
import type { LogEnd } from "../format/log-metadata.js";
import type {
  ProducedBatch,
  ProducerSnapshot,
  ProducerState,
} from "../format/producer-snapshot.js";
import { blockError, readRun, SCAN_CHUNK_BYTES } from "../segment/block-source.js";
import { hasLastBlock } from "../segment/last-block.js";
import type { Segment } from "../segment/segment.js";
import { JournaledProducers } from "./journaled-producers.js";
import type { LogTail } from "./log-tail.js";
import { afterBatch, fenced, judgeBatch, ProducerStates } from "./producer-states.js";
import { producersPath, readProducers, writeProducers } from "./producers-file.js";

/** So many records are read from the journal, one by one, before something else gets a turn. */
const TAIL_TURN_RECORDS = 200;

/** What is needed of a log to know its producers. */
export interface ProducingLog {
  readonly directory: string;
  readonly logId: Uint8Array;
  readonly startOffset: number;
  readonly segments: readonly Segment[];
  /** One past the last record that was acknowledged. */
  readonly endOffset: number;
  /** What it has in the journal, if producers may have appended some of that. */
  readonly producersTail: LogTail | undefined;
}

/** A batch that may be of a producer. */
export interface ProducersBatch {
  readonly producer: BlockProducer | undefined;
  readonly recordCount: number;
  /** Offset of its first record, set when it is written; below 0 until then. */
  storedAt: number;
}

/** Where a batch is that was stored before. */
export interface Repetition {
  /** The one that it repeats, where that is on its way yet. */
  readonly of: ProducersBatch | undefined;
  /** Offset of its first record; without {@link of} that of the log, else counted from its first. */
  readonly offset: number;
}

/** The epoch that a producer was opened with last, if it was. */
export type OpenedEpoch = (id: bigint) => number | undefined;

/**
 * The producers of a log: which batches of theirs it has, so that none is stored twice. What it has
 * is told by the blocks, and by what stands in the journal behind them. The file `producers` saves
 * the reading of all blocks, and keeps what retention removes.
 */
export class Producers {
  readonly #fileSystem: FileSystem;
  readonly #pool: HandlePool;
  readonly #log: ProducingLog;
  readonly #openedEpoch: OpenedEpoch;
  readonly #onError: (error: SeglogError) => void;
  /** As after what was written to segments last; unknown until it is first needed. */
  #states: ProducerStates | undefined;
  /** Of what the journal has behind that, also while it is on its way there. */
  #journaled = new JournaledProducers();
  /** Base offset of the segment that the file names, if it is known to be of use. */
  #savedBaseOffset = -1;
  /** Whether something was noted since the file was written. */
  #isChanged = false;

  /** @param onError - Told when the file is of no use although it should be. */
  constructor(
    { fileSystem, pool }: { readonly fileSystem: FileSystem; readonly pool: HandlePool },
    log: ProducingLog,
    openedEpoch: OpenedEpoch,
    onError: (error: SeglogError) => void,
  ) {
    this.#fileSystem = fileSystem;
    this.#pool = pool;
    this.#log = log;
    this.#openedEpoch = openedEpoch;
    this.#onError = onError;
  }

  /** What is known of a producer, once {@link load} was called. */
  state(id: bigint): ProducerState | undefined {
    return this.#journaled.get(id) ?? this.#states?.all.get(id);
  }

  /** As {@link load}, of a log of which it is known that it has none. */
  beginWithNone(): void {
    this.#states ??= new ProducerStates();
  }

  /**
   * Whether a batch follows on what the log has, and on what is on its way to the journal; if it is
   * not known yet, it is left to {@link judge} to say so.
   */
  follows(producer: BlockProducer, recordCount: number): boolean {
    if (this.#states === undefined) return false;
    if (producer.epoch < (this.#openedEpoch(producer.id) ?? 0)) return false;
    return judgeBatch(this.state(producer.id), producer, recordCount) === "follows";
  }

  /** Notes a batch that follows, and is on its way to the journal. */
  noteJournaled(producer: BlockProducer, recordCount: number, baseOffset: number): void {
    const inSegments = this.#states!.all.get(producer.id);
    this.#journaled.note(producer, recordCount, baseOffset, inSegments);
  }

  /** Some of what was on its way to the journal is not stored. */
  forgetJournaled(): void {
    if (!this.#journaled.isEmpty) this.forget();
  }

  /**
   * Finds out what the log has, unless that is known. Nothing may be on its way to the journal.
   *
   * @param end - Where the log's segments end.
   * @param hasAny - Whether there may be any producers in them.
   * @throws CorruptionError if blocks are damaged that had to be read.
   */
  async load(end: LogEnd, hasAny: boolean): Promise<void> {
    if (this.#states !== undefined) return;
    const snapshot = hasAny ? await this.#readSnapshot() : undefined;
    const states = new ProducerStates(snapshot?.producers);
    for (const segment of hasAny ? this.#log.segments : []) {
      if (segment.baseOffset < (snapshot?.activeBaseOffset ?? 0)) continue;
      const isNamed = segment.baseOffset === snapshot?.activeBaseOffset;
      const from =
        isNamed && snapshot.lastBlockPosition > 0
          ? snapshot.endPosition
          : await runSteps(segment.firstPosition());
      const isActive = segment.baseOffset === end.activeBaseOffset;
      const to = isActive ? end.endPosition : await runSteps(segment.end());
      await noteBlocks(states, segment, from, to);
    }
    this.#journaled = await this.#readTail(states, end.endOffset);
    this.#states = states;
    this.#savedBaseOffset = snapshot?.activeBaseOffset ?? -1;
    this.#isChanged = false;
  }

  /** What is known is not to be relied upon: the log was cut. */
  forget(): void {
    this.#states = undefined;
    this.#journaled = new JournaledProducers();
    this.#savedBaseOffset = -1;
  }

  /**
   * Judges batches, each as if those before it that follow on what is stored were stored, too. Only
   * after {@link load}.
   */
  judge(batches: readonly ProducersBatch[]): ("follows" | Repetition | SeglogError)[] {
    const ahead = new Map<bigint, ProducerState>();
    const onTheirWay = new Map<ProducedBatch, ProducersBatch>();
    return batches.map((batch) => {
      const { producer, recordCount } = batch;
      if (producer === undefined) return "follows";
      const { id, epoch, sequence } = producer;
      const opened = this.#openedEpoch(id) ?? 0;
      if (epoch < opened) return fenced(producer, opened);
      const state = ahead.get(id) ?? this.state(id);
      const verdict = judgeBatch(state, producer, recordCount);
      if (verdict instanceof SeglogError) return verdict;
      if (verdict === "follows") {
        // It has its offset when it is written.
        const next = afterBatch(state, producer, recordCount, 0);
        ahead.set(id, next);
        onTheirWay.set(next.batches.at(-1)!, batch);
        return verdict;
      }
      const offset = verdict.baseOffset + sequence - verdict.sequence;
      return { of: onTheirWay.get(verdict), offset };
    });
  }

  /** Notes batches that were written to segments one after the other. */
  note(batches: readonly ProducersBatch[], baseOffset: number): void {
    let offset = baseOffset;
    for (const batch of batches) {
      const { producer, recordCount } = batch;
      if (producer !== undefined) {
        batch.storedAt = offset;
        // What comes from the journal may be of producers that nobody has asked about yet.
        this.#states?.note(producer, recordCount, offset);
        this.#isChanged = true;
      }
      offset += recordCount;
    }
    this.#journaled.settled(offset);
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
    await this.#write(end, this.#states!.all);
    this.#savedBaseOffset = end.activeBaseOffset;
    this.#isChanged = false;
  }

  /**
   * Before the first batch of a producer is written: in front of it, segments may be gone that told
   * of none. Then a file says so, for one that is lost could have told of some.
   *
   * @param end - Where the log ends, on stable storage; it has nothing of a producer.
   */
  async saveNone(end: LogEnd): Promise<void> {
    if (this.#log.segments[0]!.baseOffset > 0) await this.#write(end, new Map());
  }

  /**
   * Before the log is cut: writes a file that stays true, with the batches that are deleted. The
   * blocks say the rest, whatever is left of them: none, if the log is cut back to its start.
   */
  async saveDeleted(): Promise<void> {
    const { segments, startOffset: endOffset } = this.#log;
    const first = segments[0]!;
    const deleted = [...this.#states!.all].flatMap(([id, { epoch, batches }]) => {
      const kept = batches.filter((batch) => batch.baseOffset + batch.recordCount <= endOffset);
      return kept.length === 0 ? [] : [[id, { epoch, batches: kept }] as const];
    });
    const { headerLength: endPosition } = await runSteps(first.header());
    const end = { activeBaseOffset: first.baseOffset, endOffset, endPosition };
    const place = { ...end, lastBlockPosition: 0, lastChecksum: 0 };
    // The file tells less than before, also if the log is not cut in the end.
    this.#savedBaseOffset = -1;
    await this.#write(place, new Map(deleted));
    this.#savedBaseOffset = first.baseOffset;
  }

  /** Removes the file, which will not be true any more. */
  async discard(): Promise<void> {
    this.forget();
    await this.#fileSystem.unlink(producersPath(this.#log.directory)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  /** What the journal tells behind `from`. */
  async #readTail(states: ProducerStates, from: number): Promise<JournaledProducers> {
    const found = new JournaledProducers();
    const { producersTail: tail, endOffset } = this.#log;
    if (tail === undefined) return found;
    for (let offset = from; offset < endOffset; offset++) {
      const { producer } = await runSteps(tail.journaled(offset));
      if (producer !== undefined) found.noteRecord(producer, offset, states.all.get(producer.id));
      if ((offset - from) % TAIL_TURN_RECORDS === TAIL_TURN_RECORDS - 1) await nextTurn();
    }
    return found;
  }

  async #write(
    end: Omit<LogEnd, "maxTimestamp">,
    producers: ReadonlyMap<bigint, ProducerState>,
  ): Promise<void> {
    const { directory, logId, segments } = this.#log;
    const segment = segments.find(({ baseOffset }) => baseOffset === end.activeBaseOffset)!;
    const lastChecksum =
      end.lastBlockPosition === 0 ? await chainBefore(segment) : end.lastChecksum;
    const snapshot = { ...end, lastChecksum, logId, producers };
    await this.#pool.transient(() => writeProducers(this.#fileSystem, directory, snapshot));
  }

  /** What the file says, if it is of this log as it is now. */
  async #readSnapshot(): Promise<ProducerSnapshot | undefined> {
    const { directory, segments } = this.#log;
    const snapshot = await this.#pool.transient(() => readProducers(this.#fileSystem, directory));
    if (snapshot !== undefined && (await this.#isTrue(snapshot))) return snapshot;
    // What the start offset alone has moved past is still told by the blocks.
    if (segments[0]!.baseOffset > 0) {
      const reason = "it is lost, damaged, or not of the log as it is";
      this.#onError(new CorruptionError({ file: producersPath(directory), position: 0, reason }));
    }
    return undefined;
  }

  /** Whether the log once ended as the file says. */
  async #isTrue(snapshot: ProducerSnapshot): Promise<boolean> {
    const { logId, segments } = this.#log;
    if (Buffer.compare(snapshot.logId, logId) !== 0) return false;
    const segment = segments.find(({ baseOffset }) => baseOffset === snapshot.activeBaseOffset);
    // Of a log that was cut back to its start since, if what it tells of is deleted.
    if (segment === undefined) return snapshot.endOffset <= segments[0]!.baseOffset;
    if (snapshot.lastBlockPosition > 0) return runSteps(hasLastBlock(segment, snapshot));
    // Nothing before it can be cut any more if it is the first one.
    return segment === segments[0] || (await chainBefore(segment)) === snapshot.lastChecksum;
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
  const last = states.all.get(producer.id)?.batches.at(-1);
  // A file that was written before the log was cut may tell of blocks that are still there.
  if (last !== undefined && baseOffset < last.baseOffset + last.recordCount) return;
  if (isInBatch) states.extend(producer, recordCount, baseOffset);
  else states.note(producer, recordCount, baseOffset);
}

/** What a segment without blocks goes on from; it outlives a new header. */
async function chainBefore(segment: Segment): Promise<number> {
  return (await runSteps(segment.header())).predecessor?.checksum ?? 0;
}
