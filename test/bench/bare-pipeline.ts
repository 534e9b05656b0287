import { readFileSync, write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";

const CHUNK_BYTES = 1024 * 1024;
const HEADER_BYTES = 12;

/**
 * The least that a log of this design can do: values copied behind one another, a table of their
 * ends, one checksum for each chunk of 1 MiB, and one chunk filled while the other is written.
 */
export class BarePipeline {
  readonly #file: FileHandle;
  #filling: Chunk;
  #other: Chunk;
  #position = 0;
  #isWriting = false;
  #failure: Error | null = null;
  #onDrained: (() => void) | undefined;

  private constructor(file: FileHandle, recordBytes: number) {
    this.#file = file;
    this.#filling = new Chunk(recordBytes);
    this.#other = new Chunk(recordBytes);
  }

  static async open(path: string, recordBytes: number): Promise<BarePipeline> {
    return new BarePipeline(await open(path, "w"), recordBytes);
  }

  /** @returns Whether more may be added now; else after {@link drained}. */
  add(batch: readonly Uint8Array[]): boolean {
    for (const record of batch) this.#filling.add(record);
    if (this.#filling.byteLength < CHUNK_BYTES) return true;
    if (this.#isWriting) return false;
    this.#writeOut();
    return true;
  }

  async drained(): Promise<void> {
    if (this.#isWriting) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure;
    if (this.#filling.byteLength >= CHUNK_BYTES) this.#writeOut();
  }

  async flush(): Promise<void> {
    await this.drained();
    if (this.#filling.count > 0) this.#writeOut();
    await this.drained();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #writeOut(): void {
    const chunk = this.#filling;
    this.#filling = this.#other;
    this.#other = chunk;
    const bytes = chunk.finish();
    this.#isWriting = true;
    write(this.#file.fd, bytes, 0, bytes.length, this.#position, (error, written) => {
      this.#failure ??= error ?? (written < bytes.length ? new Error("a short write") : null);
      this.#isWriting = false;
      chunk.clear();
      const onDrained = this.#onDrained;
      this.#onDrained = undefined;
      onDrained?.();
    });
    this.#position += bytes.length;
  }
}

class Chunk {
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  #end = HEADER_BYTES;
  count = 0;

  constructor(recordBytes: number) {
    const most = Math.ceil(CHUNK_BYTES / recordBytes) + 1000;
    this.#bytes = Buffer.allocUnsafeSlow(HEADER_BYTES + most * (recordBytes + 4));
    this.#ends = new Uint32Array(most);
  }

  get byteLength(): number {
    return this.#end;
  }

  add(record: Uint8Array): void {
    this.#bytes.set(record, this.#end);
    this.#end += record.length;
    this.#ends[this.count++] = this.#end;
  }

  /** Checksum, length and count, the values, the table of their ends. */
  finish(): Buffer {
    const table = Buffer.from(this.#ends.buffer, 0, this.count * 4);
    const bytes = this.#bytes.subarray(0, this.#end + table.length);
    bytes.set(table, this.#end);
    bytes.writeUInt32LE(bytes.length, 4);
    bytes.writeUInt32LE(this.count, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    return bytes;
  }

  clear(): void {
    this.#end = HEADER_BYTES;
    this.count = 0;
  }
}

/** The records of a file that a {@link BarePipeline} has written. */
export function* readBarePipeline(path: string): Generator<Uint8Array> {
  const file = readFileSync(path);
  let at = 0;
  while (at < file.length) {
    const chunk = file.subarray(at, at + file.readUInt32LE(at + 4));
    if (crc32(chunk.subarray(4)) !== chunk.readUInt32LE(0)) throw new Error("a wrong checksum");
    const count = chunk.readUInt32LE(8);
    const table = chunk.length - count * 4;
    let start = HEADER_BYTES;
    for (let index = 0; index < count; index++) {
      const end = chunk.readUInt32LE(table + index * 4);
      yield chunk.subarray(start, end);
      start = end;
    }
    at += chunk.length;
  }
}
