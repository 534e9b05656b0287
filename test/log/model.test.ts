import { describe, expect, test } from "vitest";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { kill, OTHER_BOOT } from "../support/crash.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { openLog, textOf } from "../support/log-builder.js";
import { Random, seeds } from "../support/random.js";
import { newPath } from "../support/temporary-directory.js";

const OPERATIONS = 120;

/** A log beside the simplest thing that could be one: an array of texts, and where it starts. */
class Pair {
  readonly #random: Random;
  readonly #directory = newPath();
  readonly #values: string[] = [];
  #start = 0;
  #count = 0;
  #system = new FaultyFileSystem();
  #log!: CommitLog;

  constructor(random: Random) {
    this.#random = random;
  }

  async open(): Promise<void> {
    const random = this.#random;
    const options: OpenLogOptions = {
      durability: random.pick(["always", "interval", "os"] as const),
      compression: random.pick(["none", "lz4"] as const),
      segmentBytes: random.pick([300, 1000, 5000]),
      blockBytes: random.pick([256, 1024]),
      indexIntervalBytes: random.pick([64, 512, 4096]),
    };
    this.#system = new FaultyFileSystem();
    if (random.below(3) === 0) this.#system.machine = OTHER_BOOT;
    this.#log = await openLog(this.#directory, options, { fileSystem: this.#system });
  }

  async step(): Promise<void> {
    const kinds = [
      "append",
      "append",
      "append",
      "batch",
      "batch",
      "together",
      "truncate",
      "delete",
    ];
    const more = ["reopen", "kill", "flush", "reader"];
    await this[this.#random.pick([...kinds, ...more]) as "append"]();
    await this.check();
  }

  async append(): Promise<void> {
    const value = this.#value();
    expect(await this.#log.append(value)).toBe(this.#values.length);
    this.#values.push(value);
  }

  async batch(): Promise<void> {
    const values = Array.from({ length: 1 + this.#random.below(20) }, () => this.#value());
    const { baseOffset, lastOffset } = await this.#log.appendBatch(values);
    expect([baseOffset, lastOffset]).toEqual([
      this.#values.length,
      this.#values.length + values.length - 1,
    ]);
    this.#values.push(...values);
  }

  async together(): Promise<void> {
    const values = Array.from({ length: 1 + this.#random.below(10) }, () => this.#value());
    const offsets = await Promise.all(values.map((value) => this.#log.append(value)));
    expect(offsets).toEqual(values.map((_, index) => this.#values.length + index));
    this.#values.push(...values);
  }

  async truncate(): Promise<void> {
    const least = Math.max(this.#start, this.#values.length - 15);
    const offset = least + this.#random.below(this.#values.length - least + 1);
    await this.#log.truncateTo(offset);
    this.#values.length = offset;
  }

  async delete(): Promise<void> {
    const offset = this.#random.below(Math.max(this.#values.length - 10, 0) + 1);
    await this.#log.deleteBefore(offset);
    this.#start = Math.max(this.#start, offset);
  }

  async reopen(): Promise<void> {
    await this.#log.close();
    expect(this.#system.openPaths).toEqual([]);
    await this.open();
    expect(this.#log.recovery.kind).not.toBe("unclean");
  }

  async kill(): Promise<void> {
    await kill(this.#log, this.#system);
    await this.open();
    expect(this.#log.recovery).toMatchObject({ cutBytes: 0 });
  }

  async flush(): Promise<void> {
    await this.#log.flush();
  }

  async reader(): Promise<void> {
    const reader = await openLog(this.#directory, { readOnly: true });
    await this.#compare(reader);
    await reader.close();
  }

  async check(): Promise<void> {
    await this.#compare(this.#log);
  }

  async #compare(log: CommitLog): Promise<void> {
    const end = this.#values.length;
    expect([log.startOffset, log.endOffset]).toEqual([this.#start, end]);
    const from = this.#start + this.#random.below(end - this.#start + 1);
    const to = from + this.#random.below(end - from + 1);
    const read: string[] = [];
    for await (const batch of log.batches({ from, to })) {
      for (const { value } of batch) read.push(textOf(value));
    }
    expect(read).toEqual(this.#values.slice(from, to));
    if (from < end) {
      expect(textOf((await log.read(from)).value)).toBe(this.#values[from]);
      expect(textOf(log.readSync(from).value)).toBe(this.#values[from]);
      const records = await log.readFrom(from, { maxRecords: 5 });
      expect(records.map(({ value }) => textOf(value))).toEqual(this.#values.slice(from, from + 5));
    }
    expect(await codeOf(log.read(end))).toBe("OFFSET_OUT_OF_RANGE");
  }

  #value(): string {
    const length = this.#random.pick([0, 3, 30, 30, 300, 2000]);
    return `${this.#count++}:${"x".repeat(length)}`;
  }
}

describe("a log and an array, under the same random operations", () => {
  for (const seed of seeds(12)) {
    test(`seed ${seed}`, { timeout: 60_000 }, async () => {
      const pair = new Pair(new Random(seed));
      await pair.open();
      for (let step = 0; step < OPERATIONS; step++) await pair.step();
    });
  }
});
