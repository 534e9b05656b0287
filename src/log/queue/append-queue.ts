import type { SeglogError } from "../../errors.js";
import type { BlockProducer } from "../../format/block-header.js";
import { encodedBound } from "../../format/group-encoder.js";
import {
  assertUnchanged,
  bytesOfValues,
  changedValue,
  type PreparedRecord,
  prepare,
} from "../../format/prepared-record.js";
import type { RecordInput } from "../../format/record.js";
import type { BufferPool } from "../memory/buffer-pool.js";
import type { ResolvedLogOptions } from "../options.js";
import { assertLength, batchBound, noRecords } from "./append-limits.js";
import type { AppendedBatch } from "./appended-batch.js";
import { type PendingBatch, PendingGroup } from "./pending.js";

/** Length up to which a group takes more: the size of write that disks and page cache like. */
const GROUP_BYTES = 1024 * 1024;
/** The most that one round writes before it syncs and acknowledges. */
const ROUND_BYTES = 8 * 1024 * 1024;

/** Something other than an append that must not run beside one. */
interface Exclusive {
  readonly run: () => Promise<void>;
  /** Whether appends may go another way than this queue meanwhile. */
  readonly isSilent: boolean;
}

/** What waits for room among the pending bytes; nothing of it is copied yet. */
interface Admission {
  readonly byteLength: number;
  readonly admit: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the queue needs to know of the log it feeds. */
export interface QueueOwner {
  readonly options: ResolvedLogOptions;
  readonly buffers: BufferPool;
  /** The clock, made to never go back. */
  timestamp(): number;
  /**
   * Writes, syncs and publishes the batches; never fails.
   *
   * @returns What answers their callers, as far as they are not answered yet.
   */
  commit(batches: readonly PendingBatch[]): Promise<() => void>;
  /**
   * Told, while a commit waits for the disk, which complete batches will be committed next: what can
   * be done about them already need not be done while the disk waits.
   */
  prepareNext(batches: readonly PendingBatch[]): void;
}

/**
 * Serialises all that changes a log. Appends are encoded into the last group at once; one loop
 * takes all groups that wait, has them written and synced together, and goes on. While it waits
 * for the disk the next groups fill: that is the group commit, and no timer is needed for it.
 */
export class AppendQueue {
  readonly #owner: QueueOwner;
  readonly #items: (PendingGroup | Exclusive)[] = [];
  readonly #waiting: Admission[] = [];
  #pendingBytes = 0;
  #running = false;
  /** How many items are not done, the one that was taken included, but for silent ones. */
  #unfinished = 0;
  #refusal: SeglogError | undefined;
  #lastGroupBytes = 0;

  constructor(owner: QueueOwner) {
    this.#owner = owner;
  }

  /** From now on every append fails with `error`, also those that wait for room. */
  refuse(error: SeglogError): void {
    this.#refusal ??= error;
    for (const admission of this.#waiting.splice(0)) admission.reject(error);
  }

  /** Fails all that is not yet taken, and what waits for room behind it; later calls are served. */
  failAll(error: SeglogError): void {
    // Those that wait first: else room that the others leave would let them in.
    for (const admission of this.#waiting.splice(0)) admission.reject(error);
    this.rejectQueued(error);
  }

  /** Fails all batches that are not yet taken. */
  rejectQueued(error: SeglogError): void {
    for (const item of this.#items) {
      if (!(item instanceof PendingGroup)) continue;
      item.endBatch();
      this.settle(item.batches, (batch) => batch.reject(error));
      item.batches.length = 0;
    }
  }

  /** Settles batches and makes room for what waits. */
  settle(batches: readonly PendingBatch[], how: (batch: PendingBatch) => void): void {
    for (const batch of batches) {
      how(batch);
      this.#pendingBytes -= batch.admittedBytes;
    }
    this.#admitWaiting();
  }

  /**
   * Whether nothing is on its way, nor waits to be, that an append which goes another way would
   * overtake. What waits for room waits for an item.
   */
  get isIdle(): boolean {
    return this.#unfinished === 0;
  }

  /** Whether an append of so many bytes would not have to wait for room. */
  hasRoomFor(byteLength: number): boolean {
    if (this.#refusal !== undefined || this.#waiting.length > 0) return false;
    return this.#hasRoom(encodedBound(byteLength));
  }

  /**
   * As {@link appendPrepared}, for one who has asked whether there is room, and wants to be told at
   * once: answers come in the order of the calls, before anybody else's code runs.
   */
  add(
    record: PreparedRecord,
    resolve: (offset: number) => void,
    reject: (error: SeglogError) => void,
  ): void {
    this.#addRecord(record, encodedBound(record.byteLength), resolve, reject);
  }

  /** As {@link add}, for a batch. */
  addBatch(
    records: readonly PreparedRecord[],
    resolve: (batch: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
  ): void {
    const recordBytes = records.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#addBatch(records, this.#batchBound(recordBytes, records.length), resolve, reject);
  }

  append(record: RecordInput, signal: AbortSignal | undefined): Promise<number> {
    return this.appendPrepared(prepare(record), signal);
  }

  appendPrepared(prepared: PreparedRecord, signal: AbortSignal | undefined): Promise<number> {
    assertLength(prepared.byteLength, this.#owner.options);
    const byteLength = encodedBound(prepared.byteLength);
    if (this.#mayAdmit(byteLength)) return this.#admitRecord(prepared, byteLength);
    return this.#wait(byteLength, signal, () => {
      assertUnchanged(prepared);
      return this.#admitRecord(prepared, byteLength);
    });
  }

  appendBatch(
    records: readonly RecordInput[],
    signal: AbortSignal | undefined,
    producer?: BlockProducer,
  ): Promise<AppendedBatch> {
    if (records.length === 0) throw noRecords();
    const valueBytes = bytesOfValues(records, this.#owner.options.maxRecordBytes);
    if (valueBytes !== undefined) {
      // All of them are values alone: nothing has to be made of them before they are copied.
      const values = records as readonly Uint8Array[];
      const byteLength = this.#batchBound(valueBytes, values.length, producer);
      const admit = () => this.#admitValues(values, byteLength, producer);
      if (this.#mayAdmit(byteLength)) return admit();
      return this.#wait(byteLength, signal, () => {
        if (bytesOfValues(values, Number.POSITIVE_INFINITY) !== valueBytes) throw changedValue();
        return admit();
      });
    }
    return this.appendPreparedBatch(records.map(prepare), signal, producer);
  }

  /** @param prepared - At least one. */
  appendPreparedBatch(
    prepared: readonly PreparedRecord[],
    signal: AbortSignal | undefined,
    producer?: BlockProducer,
  ): Promise<AppendedBatch> {
    let recordBytes = 0;
    for (const { byteLength } of prepared) {
      assertLength(byteLength, this.#owner.options);
      recordBytes += byteLength;
    }
    const byteLength = this.#batchBound(recordBytes, prepared.length, producer);
    if (this.#mayAdmit(byteLength)) return this.#admitBatch(prepared, byteLength, producer);
    return this.#wait(byteLength, signal, () => {
      prepared.forEach(assertUnchanged);
      return this.#admitBatch(prepared, byteLength, producer);
    });
  }

  /** Runs `run` after all that was accepted before it, with nothing beside it. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    this.#unfinished++;
    return this.#inTurn(run, false);
  }

  /** Resolves when what was on its way when this was called is done. */
  async passed(): Promise<void> {
    if (!this.isIdle) await this.exclusive(() => Promise.resolve());
  }

  /** As {@link exclusive}, and does not keep the queue from being idle. */
  silent<T>(run: () => Promise<T>): Promise<T> {
    return this.#inTurn(run, true);
  }

  #inTurn<T>(run: () => Promise<T>, isSilent: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#items.push({ run: () => run().then(resolve, reject), isSilent });
      this.#wake();
    });
  }

  #batchBound(recordBytes: number, count: number, producer?: BlockProducer): number {
    return batchBound(recordBytes, count, producer !== undefined, this.#owner.options);
  }

  #mayAdmit(byteLength: number): boolean {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#waiting.length > 0) return false;
    return this.#hasRoom(byteLength);
  }

  #hasRoom(byteLength: number): boolean {
    const total = this.#pendingBytes + byteLength;
    return this.#pendingBytes === 0 || total <= this.#owner.options.maxPendingBytes;
  }

  #wait<T>(
    byteLength: number,
    signal: AbortSignal | undefined,
    admit: () => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(admission), 1);
        reject(signal?.reason);
        this.#admitWaiting();
      };
      const admission: Admission = {
        byteLength,
        admit: () => {
          signal?.removeEventListener("abort", onAbort);
          try {
            resolve(admit());
          } catch (error) {
            reject(error);
          }
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(admission);
    });
  }

  #admitWaiting(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#hasRoom(next.byteLength)) return;
      this.#waiting.shift();
      next.admit();
    }
  }

  #admitRecord(record: PreparedRecord, byteLength: number): Promise<number> {
    return new Promise((resolve, reject) => this.#addRecord(record, byteLength, resolve, reject));
  }

  #addRecord(
    record: PreparedRecord,
    byteLength: number,
    resolve: (offset: number) => void,
    reject: (error: SeglogError) => void,
  ): void {
    const group = this.#groupFor(byteLength);
    const batch = group.singles();
    this.#pendingBytes += byteLength;
    batch.admittedBytes += byteLength;
    group.addRecord(batch, record, record.timestamp ?? this.#owner.timestamp());
    batch.answer(resolve, reject);
  }

  #admitBatch(
    records: readonly PreparedRecord[],
    byteLength: number,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    return new Promise((resolve, reject) =>
      this.#addBatch(records, byteLength, resolve, reject, producer),
    );
  }

  #addBatch(
    records: readonly PreparedRecord[],
    byteLength: number,
    resolve: (batch: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
    producer?: BlockProducer,
  ): void {
    const group = this.#groupFor(byteLength);
    const batch = this.#beginBatch(group, byteLength, resolve, reject, producer);
    const now = this.#owner.timestamp();
    for (const record of records) group.addRecord(batch, record, record.timestamp ?? now);
    group.endBatch();
  }

  #admitValues(
    values: readonly Uint8Array[],
    byteLength: number,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    return new Promise((resolve, reject) => {
      const group = this.#groupFor(byteLength);
      const batch = this.#beginBatch(group, byteLength, resolve, reject, producer);
      group.addValues(batch, values, this.#owner.timestamp());
      group.endBatch();
    });
  }

  #beginBatch(
    group: PendingGroup,
    byteLength: number,
    resolve: (batch: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
    producer: BlockProducer | undefined,
  ): PendingBatch {
    const batch = group.beginBatch(resolve, reject, producer);
    this.#pendingBytes += byteLength;
    batch.admittedBytes = byteLength;
    return batch;
  }

  /** The last group if it has room, or a new one. */
  #groupFor(byteLength: number): PendingGroup {
    const last = this.#items[this.#items.length - 1];
    if (last instanceof PendingGroup && last.encoder.length + byteLength <= GROUP_BYTES) {
      return last;
    }
    const { options, buffers } = this.#owner;
    const buffer = buffers.take(Math.max(byteLength, this.#lastGroupBytes));
    const group = new PendingGroup(buffer, options.blockBytes, options.compression);
    this.#items.push(group);
    this.#unfinished++;
    this.#wake();
    return group;
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    // Appends made in the same turn join the first group.
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    let answer = () => {};
    for (;;) {
      const next = this.#items[0];
      if (next instanceof PendingGroup) {
        const groups = this.#takeGroups();
        const committing = this.#owner.commit(groups.flatMap((group) => group.batches));
        // While the disk is busy there is time for callers, and for what it gets next.
        answer();
        this.#prepareNext();
        answer = await committing;
        this.#unfinished -= groups.length;
        for (const group of groups) this.#owner.buffers.give(group.encoder.bytes);
        if (this.#isFullGroupNext()) continue;
      }
      answer();
      answer = () => {};
      if (next === undefined) break;
      if (!(next instanceof PendingGroup)) {
        this.#items.shift();
        await next.run();
        if (!next.isSilent) this.#unfinished--;
      }
      // Callers that were just answered get their turn before the next group is taken; otherwise
      // callers that append one after the other split into two halves that wait for each other.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }

  #prepareNext(): void {
    const next = this.#items[0];
    if (!(next instanceof PendingGroup) || !this.#isFullGroupNext()) return;
    try {
      next.endBatch();
      this.#owner.prepareNext(next.batches);
    } catch {
      // It comes again when they are committed, and their callers are told.
    }
  }

  /** Whether the next group takes no more: then nothing is won by waiting for callers. */
  #isFullGroupNext(): boolean {
    return this.#items[0] instanceof PendingGroup && this.#items[1] instanceof PendingGroup;
  }

  /** The groups of the next round: all of them where they share a sync, else one. */
  #takeGroups(): PendingGroup[] {
    const roundBytes = this.#owner.options.durability === "always" ? ROUND_BYTES : 0;
    const groups: PendingGroup[] = [];
    let bytes = 0;
    for (;;) {
      const next = this.#items[0];
      if (!(next instanceof PendingGroup)) break;
      next.endBatch();
      if (groups.length > 0 && bytes + next.encoder.length > roundBytes) break;
      this.#items.shift();
      bytes += next.encoder.length;
      groups.push(next);
    }
    this.#lastGroupBytes = Math.min(bytes, GROUP_BYTES);
    return groups;
  }
}
