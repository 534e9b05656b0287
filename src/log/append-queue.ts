import { SeglogError } from "../errors.js";
import { encodedBound } from "../format/group-encoder.js";
import type { RecordInput } from "../format/record.js";
import {
  encodedLength,
  needsStructure,
  prepareRecord,
  utf8Length,
} from "../format/record-codec.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { BufferPool } from "./buffer-pool.js";
import type { ResolvedLogOptions } from "./options.js";
import { type PendingBatch, PendingGroup, type PreparedRecord } from "./pending.js";

/** Length up to which a group takes more: the size of write that disks and page cache like. */
const GROUP_BYTES = 1024 * 1024;
/** The most that one round writes before it syncs and acknowledges. */
const ROUND_BYTES = 8 * 1024 * 1024;

/** Something other than an append that must not run beside one. */
interface Exclusive {
  readonly run: () => Promise<void>;
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
  /** Writes, syncs and settles the batches; never fails. */
  commit(batches: readonly PendingBatch[]): Promise<void>;
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

  append(record: RecordInput, signal: AbortSignal | undefined): Promise<number> {
    const prepared = prepare(record);
    this.#checkLength(prepared.byteLength);
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
  ): Promise<AppendedBatch> {
    if (records.length === 0) throw new RangeError("A batch must hold at least one record");
    const prepared: PreparedRecord[] = [];
    let byteLength = encodedBound(0);
    for (const record of records) {
      const each = prepare(record);
      this.#checkLength(each.byteLength);
      byteLength += each.byteLength + 8;
      prepared.push(each);
    }
    // A header is at most as long again as the shortest block is.
    byteLength += Math.ceil(byteLength / this.#owner.options.blockBytes) * encodedBound(0);
    const { maxBatchBytes } = this.#owner.options;
    if (byteLength > maxBatchBytes && records.length > 1) {
      throw new SeglogError(
        "BATCH_TOO_LARGE",
        `A batch of ${byteLength} encoded bytes is longer than maxBatchBytes (${maxBatchBytes}). ` +
          "Nothing of it was appended. Split it, or raise the option.",
      );
    }
    if (this.#mayAdmit(byteLength)) return this.#admitBatch(prepared, byteLength);
    return this.#wait(byteLength, signal, () => {
      prepared.forEach(assertUnchanged);
      return this.#admitBatch(prepared, byteLength);
    });
  }

  /** Runs `run` after all that was accepted before it, with nothing beside it. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#items.push({ run: () => run().then(resolve, reject) });
      this.#wake();
    });
  }

  #checkLength(byteLength: number): void {
    const { maxRecordBytes } = this.#owner.options;
    if (byteLength <= maxRecordBytes) return;
    throw new SeglogError(
      "RECORD_TOO_LARGE",
      `A record of ${byteLength} bytes is longer than maxRecordBytes (${maxRecordBytes}). ` +
        "Nothing was appended. Split it, or raise the option.",
    );
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
    const group = this.#groupFor(byteLength);
    const batch = group.singles();
    this.#pendingBytes += byteLength;
    batch.admittedBytes += byteLength;
    group.addRecord(batch, record, record.timestamp ?? this.#owner.timestamp());
    return batch.promise();
  }

  #admitBatch(records: readonly PreparedRecord[], byteLength: number): Promise<AppendedBatch> {
    const group = this.#groupFor(byteLength);
    const batch = group.beginBatch();
    this.#pendingBytes += byteLength;
    batch.admittedBytes = byteLength;
    const now = this.#owner.timestamp();
    for (const record of records) group.addRecord(batch, record, record.timestamp ?? now);
    group.endBatch();
    return batch.promise;
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
    for (;;) {
      const next = this.#items[0];
      if (next === undefined) break;
      if (next instanceof PendingGroup) {
        const groups = this.#takeGroups();
        await this.#owner.commit(groups.flatMap((group) => group.batches));
        for (const group of groups) this.#owner.buffers.give(group.encoder.bytes);
      } else {
        this.#items.shift();
        await next.run();
      }
      // Callers that were just answered get their turn before the next group is taken; otherwise
      // callers that append one after the other split into two halves that wait for each other.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }

  #takeGroups(): PendingGroup[] {
    const groups: PendingGroup[] = [];
    let bytes = 0;
    for (;;) {
      const next = this.#items[0];
      if (!(next instanceof PendingGroup)) break;
      next.endBatch();
      if (groups.length > 0 && bytes + next.encoder.length > ROUND_BYTES) break;
      this.#items.shift();
      bytes += next.encoder.length;
      groups.push(next);
    }
    this.#lastGroupBytes = Math.min(bytes, GROUP_BYTES);
    return groups;
  }
}

/** Checks a record and finds its length, copying nothing of a value that is bytes or text alone. */
function prepare(record: RecordInput): PreparedRecord {
  if (record instanceof Uint8Array) return plain(record, record.length, undefined);
  if (typeof record === "string") {
    return plain(record, utf8Length(record, "The record"), undefined);
  }
  const parts = prepareRecord(record);
  const { byteLength, timestamp, value } = parts;
  if (!needsStructure(parts)) return plain(value, value.length, timestamp);
  return { value: undefined, parts, byteLength, timestamp };
}

/** A caller that transfers a buffer which waits to be copied harms nobody but itself. */
function assertUnchanged({ value, parts, byteLength }: PreparedRecord): void {
  const length =
    parts !== undefined
      ? encodedLength(parts)
      : typeof value === "string"
        ? byteLength
        : value!.length;
  if (length === byteLength) return;
  throw new TypeError("The bytes of a record were resized or transferred while it waited for room");
}

function plain(
  value: Uint8Array | string,
  byteLength: number,
  timestamp: number | undefined,
): PreparedRecord {
  return { value, parts: undefined, byteLength, timestamp };
}
