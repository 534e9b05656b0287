import type { SeglogError } from "../errors.js";
import type { BlockProducer } from "../format/block-header.js";
import type { CompressionName } from "../format/compression.js";
import { GroupEncoder } from "../format/group-encoder.js";
import type { PreparedRecord } from "../format/prepared-record.js";
import { AppendedBatch } from "./appended-batch.js";

/** A batch on its way to the disk: its blocks, and who waits for it. */
export abstract class PendingBatch {
  readonly group: PendingGroup;
  /** Who appended it, if that was said; the sequence is that of its first record. */
  readonly producer: BlockProducer | undefined;
  readonly firstBlock: number;
  /** One past its last block; set when the batch is complete. */
  endBlock = 0;
  recordCount = 0;
  /** Offset of its first record, of a producer's batch that is written; below 0 until then. */
  storedAt = -1;
  /** Counts against `maxPendingBytes` until the batch is settled. */
  admittedBytes = 0;

  constructor(group: PendingGroup, producer?: BlockProducer) {
    this.group = group;
    this.producer = producer;
    this.firstBlock = group.encoder.blocks.length;
  }

  /** Where in the group's buffer the batch begins. */
  get start(): number {
    return this.group.encoder.blocks[this.firstBlock]!.start;
  }

  /** Where it ends. */
  get end(): number {
    const last = this.group.encoder.blocks[this.endBlock - 1]!;
    return last.start + last.length;
  }

  abstract resolve(baseOffset: number): void;
  abstract reject(error: SeglogError): void;
}

/** Whether it was said who appended a batch. */
export function isOfProducer({ producer }: PendingBatch): boolean {
  return producer !== undefined;
}

/** The single appends that share a group: one batch, and a promise for each record. */
export class SinglesBatch extends PendingBatch {
  readonly #resolvers: ((offset: number) => void)[] = [];
  readonly #rejecters: ((error: SeglogError) => void)[] = [];

  /** Called with the offset of the record that was added last, or with why it is not stored. */
  answer(resolve: (offset: number) => void, reject: (error: SeglogError) => void): void {
    this.#resolvers.push(resolve);
    this.#rejecters.push(reject);
  }

  resolve(baseOffset: number): void {
    for (let index = 0; index < this.#resolvers.length; index++) {
      this.#resolvers[index]!(baseOffset + index);
    }
  }

  reject(error: SeglogError): void {
    for (const reject of this.#rejecters) reject(error);
  }
}

/** One call of `appendBatch`. */
export class AtomicBatch extends PendingBatch {
  readonly #resolve: (batch: AppendedBatch) => void;
  readonly #reject: (error: SeglogError) => void;

  constructor(
    group: PendingGroup,
    resolve: (batch: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
    producer: BlockProducer | undefined,
  ) {
    super(group, producer);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(baseOffset: number): void {
    this.#resolve(new AppendedBatch(baseOffset, baseOffset + this.recordCount - 1));
  }

  reject(error: SeglogError): void {
    this.#reject(error);
  }
}

/** Records that were acknowledged before: nobody waits for them. */
export class AcknowledgedBatch extends PendingBatch {
  resolve(): void {}

  reject(): void {}
}

/** Batches that are encoded into one buffer and written in one call. */
export class PendingGroup {
  readonly encoder: GroupEncoder;
  readonly batches: PendingBatch[] = [];
  #open: SinglesBatch | undefined;

  constructor(buffer: Buffer, blockBytes: number, compression: CompressionName) {
    this.encoder = new GroupEncoder(buffer, blockBytes, compression);
  }

  /** The batch that takes single appends; the one that is open, or a new one. */
  singles(): SinglesBatch {
    if (this.#open === undefined) {
      this.#open = new SinglesBatch(this);
      this.#add(this.#open);
    }
    return this.#open;
  }

  /** Begins a batch of its own; {@link endBatch} must follow. */
  beginBatch(
    resolve: (batch: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
    producer: BlockProducer | undefined,
  ): AtomicBatch {
    this.endBatch();
    const batch = new AtomicBatch(this, resolve, reject, producer);
    if (producer !== undefined) this.encoder.beginProducersBatch(producer);
    this.#add(batch);
    return batch;
  }

  /** Begins a batch of records that are acknowledged; {@link endBatch} must follow. */
  beginAcknowledged(producer?: BlockProducer): AcknowledgedBatch {
    this.endBatch();
    const batch = new AcknowledgedBatch(this, producer);
    if (producer !== undefined) this.encoder.beginProducersBatch(producer);
    this.#add(batch);
    return batch;
  }

  /** Completes the batch that is being filled, if there is one. */
  endBatch(): void {
    this.#open = undefined;
    const batch = this.batches[this.batches.length - 1];
    if (batch === undefined || batch.endBlock > 0) return;
    this.encoder.endBatch();
    batch.endBlock = this.encoder.blocks.length;
  }

  /** Copies a record into `batch`, which must be the last one. */
  addRecord(batch: PendingBatch, record: PreparedRecord, timestamp: number): void {
    batch.recordCount++;
    if (record.parts !== undefined) this.encoder.addStructured(record.parts, timestamp);
    else this.encoder.addValue(record.value!, record.byteLength, timestamp);
  }

  /** Copies the values of all records of a batch, which have nothing else. */
  addValues(batch: PendingBatch, values: readonly Uint8Array[], timestamp: number): void {
    batch.recordCount = values.length;
    this.encoder.addValues(values, timestamp);
  }

  #add(batch: PendingBatch): void {
    this.batches.push(batch);
  }
}
