import { fdatasync, type NoParamCallback, write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

const CAPACITY_BYTES = 1024 * 1024;

interface Waiting {
  /** Where its record begins in what is written together. */
  readonly start: number;
  readonly resolve: (position: number) => void;
}

/**
 * The least that group commit can be: each append copied and given a promise, and all that wait
 * written and synced together, after those who were just answered had their turn.
 */
export class BareGroupCommit {
  readonly #file: FileHandle;
  #filling = Buffer.allocUnsafeSlow(CAPACITY_BYTES);
  #other = Buffer.allocUnsafeSlow(CAPACITY_BYTES);
  #end = 0;
  #waiting: Waiting[] = [];
  #position = 0;
  #isRunning = false;
  readonly #isSynced: boolean;

  private constructor(file: FileHandle, isSynced: boolean) {
    this.#file = file;
    this.#isSynced = isSynced;
  }

  static async open(path: string, isSynced: boolean): Promise<BareGroupCommit> {
    return new BareGroupCommit(await open(path, "w"), isSynced);
  }

  /**
   * What waits at a time must fit into 1 MiB.
   *
   * @returns The record's position in the file.
   */
  append(record: Uint8Array): Promise<number> {
    const start = this.#end;
    this.#filling.set(record, start);
    this.#end += record.length;
    if (!this.#isRunning) {
      this.#isRunning = true;
      setImmediate(() => this.#commit());
    }
    return new Promise((resolve) => this.#waiting.push({ start, resolve }));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #commit(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) {
      this.#isRunning = false;
      return;
    }
    this.#waiting = [];
    const bytes = this.#filling;
    this.#filling = this.#other;
    this.#other = bytes;
    const length = this.#end;
    this.#end = 0;
    const { fd } = this.#file;
    const done: NoParamCallback = (error) => {
      if (error !== null) throw error;
      for (const { start, resolve } of waiting) resolve(this.#position + start);
      this.#position += length;
      setImmediate(() => this.#commit());
    };
    write(fd, bytes, 0, length, this.#position, (error, written) => {
      if (error !== null || written < length) throw error ?? new Error("a short write");
      if (this.#isSynced) fdatasync(fd, done);
      else done(null);
    });
  }
}
