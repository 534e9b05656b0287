import { expect } from "vitest";
import type { Producer, SeglogClient } from "../../src/client/index.js";

const PADDING = "x".repeat(80);

/**
 * Sends numbers to some keys, each key its own row of them from 0 on, and holds the server to what it
 * acknowledged: each number once, in order, where it said.
 */
export class NumberedLoad {
  readonly keys: readonly string[];
  readonly #producer: Producer;
  /** How many were sent to each key, and the offsets of those that were acknowledged. */
  readonly #sent = new Map<string, number>();
  readonly #offsets = new Map<string, Map<number, number>>();
  readonly #failures: unknown[] = [];
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(producer: Producer, keys: readonly string[]) {
    this.#producer = producer;
    this.keys = keys;
    for (const key of keys) {
      this.#sent.set(key, 0);
      this.#offsets.set(key, new Map());
    }
  }

  /** How many were acknowledged. */
  get acknowledged(): number {
    let count = 0;
    for (const offsets of this.#offsets.values()) count += offsets.size;
    return count;
  }

  /** Sends as fast as there is room, until {@link stop}. */
  start(): void {
    const run = async () => {
      while (!this.#isStopped) {
        for (let turn = 0; turn < 50; turn++) for (const key of this.keys) this.#send(key);
        await this.#producer.room();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    this.#running = run();
  }

  /** Resolves when so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged + count;
    while (this.acknowledged < wanted && this.#failures.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(this.#failures).toEqual([]);
  }

  /** Sends no more, and resolves when all are acknowledged. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#producer.flush();
    expect(this.#failures).toEqual([]);
  }

  /** Reads everything. */
  async check(client: SeglogClient): Promise<void> {
    for (const key of this.keys) {
      const numbers: number[] = [];
      const { endOffset } = (await client.bounds(key))!;
      for (let from = 0; from < endOffset; ) {
        const { records, nextOffset } = await client.read(key, from, { maxRecords: 10_000 });
        for (const { value } of records) numbers.push(Number.parseInt(textOf(value), 10));
        from = nextOffset;
      }
      const count = this.#sent.get(key)!;
      expect(numbers.length, `records of ${key}`).toBe(count);
      expect(
        numbers.findIndex((number, offset) => number !== offset),
        `first wrong record of ${key}`,
      ).toBe(-1);
      const offsets = this.#offsets.get(key)!;
      expect(offsets.size).toBe(count);
      for (const [number, offset] of offsets) expect(offset).toBe(number);
    }
  }

  #send(key: string): void {
    const number = this.#sent.get(key)!;
    this.#sent.set(key, number + 1);
    this.#producer.send(key, `${number} ${PADDING}`).then(
      ({ offset }) => this.#offsets.get(key)!.set(number, offset),
      (error) => this.#failures.push(error),
    );
  }
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString();
}
