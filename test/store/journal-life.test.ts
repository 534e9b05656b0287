import { describe, expect, it } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { FaultyFileSystem, type OperationKind } from "../support/faulty-file-system.js";
import { Random } from "../support/random.js";
import { newPath } from "../support/temporary-directory.js";
import { JOURNAL } from "./journaling.js";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const SESSIONS = 3;
const FAULTS: readonly OperationKind[] = [
  "write",
  "datasync",
  "open",
  "rename",
  "syncDirectory",
  "truncate",
  "unlink",
  "read",
];

/** What is known of the records of a key, each of which has a text of its own. */
class Known {
  /** Acknowledged, by their offsets. */
  readonly acknowledged = new Map<number, string>();
  /** All that were ever sent: what was not acknowledged may be there or not. */
  readonly sent = new Set<string>();
  /** Truncated, deleted or refused: they must never be there. */
  readonly gone = new Set<string>();
  /** Those before may be deleted. */
  startOffset = 0;

  acknowledge(baseOffset: number, texts: readonly string[]): void {
    for (const [index, text] of texts.entries()) {
      expect(this.acknowledged.get(baseOffset + index), "given out twice").toBeUndefined();
      this.acknowledged.set(baseOffset + index, text);
    }
  }

  /** @param isSure - Whether it is known that the records from `offset` on were cut off. */
  cut(offset: number, isSure: boolean): void {
    for (const [each, text] of this.acknowledged) {
      if (each < offset) continue;
      this.acknowledged.delete(each);
      if (isSure) this.gone.add(text);
    }
  }

  /** The key is deleted; later records begin at 0. */
  delete(isSure: boolean): void {
    this.cut(0, isSure);
    this.startOffset = 0;
    if (isSure) for (const text of this.sent) this.gone.add(text);
  }

  /** What the log has from its start offset on is from now on what was acknowledged. */
  check(startOffset: number, texts: readonly string[]): void {
    const at = (offset: number) => texts[offset - startOffset];
    for (const [offset, text] of this.acknowledged) {
      if (offset >= this.startOffset) expect(at(offset), `lost at ${offset}`).toBe(text);
    }
    expect(texts.filter((text) => !this.sent.has(text) || this.gone.has(text))).toEqual([]);
    const numbers = texts.map((text) => Number.parseInt(text, 10));
    expect(numbers, "in the order of the calls").toEqual(numbers.toSorted((a, b) => a - b));
    this.acknowledged.clear();
    this.acknowledge(startOffset, texts);
    this.startOffset = startOffset;
  }
}

/** Some of what a store may live through, with a journal: chosen by a seed. */
class Life {
  readonly #random: Random;
  readonly #directory = newPath();
  readonly #keys: readonly string[];
  readonly #known = new Map<string, Known>();
  #count = 0;
  #flying: Promise<unknown>[] = [];
  journalWrites = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#keys = Array.from({ length: 4 + this.#random.below(10) }, (_, index) => `k${index}`);
    for (const key of this.#keys) this.#known.set(key, new Known());
  }

  async run(): Promise<void> {
    for (let session = 0; session < SESSIONS; session++) {
      const fileSystem = new FaultyFileSystem();
      const store = await this.#open(fileSystem);
      try {
        await this.#check(store);
        this.#injectFault(fileSystem);
        await this.#live(store);
        this.journalWrites += fileSystem.countOf("write", JOURNAL);
        if (this.#random.below(2) === 0) {
          await this.#landed();
          await store.close().catch(() => undefined);
        }
      } finally {
        await fileSystem.die();
        await store.close().catch(() => undefined);
      }
      await this.#landed();
    }
    const fileSystem = new FaultyFileSystem();
    const store = await this.#open(fileSystem);
    await this.#check(store);
    await store.close();
  }

  #open(fileSystem: FaultyFileSystem): Promise<LogStore> {
    const random = this.#random;
    const environment = {
      ...createEnvironment(fileSystem, random.pick([16, 128])),
      journalFrom: random.pick([0, 0, 3]),
      settleBytes: random.pick([300, 2000, 1_000_000]),
      journalSegmentBytes: random.pick([1000, 5000, 1_000_000]),
      smallWriteBytes: random.pick([0, Number.POSITIVE_INFINITY]),
    };
    const segmentBytes = random.pick([500, 3000, 1_000_000]);
    const options = { onError: () => undefined, segmentBytes };
    return LogStore.openOn(environment, this.#directory, options);
  }

  async #check(store: LogStore): Promise<void> {
    for (const [key, known] of this.#known) {
      const { startOffset } = (await store.bounds(key)) ?? { startOffset: 0 };
      const { records } = await store.read(key, startOffset, { maxBytes: 2 ** 30 });
      known.check(
        startOffset,
        records.map(({ value }) => `${Buffer.from(value)}`),
      );
    }
  }

  #injectFault(fileSystem: FaultyFileSystem): void {
    const random = this.#random;
    if (random.below(4) === 0) return;
    const path = random.below(2) === 0 ? JOURNAL : /logs/;
    const shortBytes = random.below(4) === 0 ? { shortBytes: random.below(200) } : {};
    fileSystem.fail(
      { kind: random.pick(FAULTS), path },
      {
        errno: random.pick(["EIO", "ENOSPC", "EMFILE"]),
        after: random.below(100),
        times: random.pick([1, 1, 3, 1000]),
        ...shortBytes,
      },
    );
  }

  async #live(store: LogStore): Promise<void> {
    const random = this.#random;
    for (let steps = 10 + random.below(40); steps > 0; steps--) {
      if (random.below(100) < 75) {
        for (const key of this.#keys) if (random.below(2) === 0) this.#append(store, key);
        if (random.below(2) === 0) await this.#landed();
      } else {
        await this.#landed();
        await this.#change(store, random.pick(this.#keys));
      }
    }
  }

  #append(store: LogStore, key: string): void {
    const random = this.#random;
    const known = this.#known.get(key)!;
    const count = random.below(4) === 0 ? 1 + random.below(3) : 1;
    const texts = Array.from({ length: count }, () => {
      const padding = random.below(12) === 0 ? 17_000 : random.below(20);
      return `${this.#count++} ${"x".repeat(padding)}`;
    });
    for (const text of texts) known.sent.add(text);
    const appended =
      count === 1
        ? store.append(key, texts[0]!)
        : store.appendBatch(key, texts).then(({ baseOffset }) => baseOffset);
    const answered = appended.then(
      (baseOffset) => known.acknowledge(baseOffset, texts),
      ({ code }: SeglogError) => {
        if (code === "NO_SPACE") for (const text of texts) known.gone.add(text);
      },
    );
    this.#flying.push(answered);
  }

  /** A change of a key while nothing is on its way; it may fail. */
  async #change(store: LogStore, key: string): Promise<void> {
    const random = this.#random;
    const known = this.#known.get(key)!;
    const what = random.pick(["close", "close", "cut", "cut", "trim", "delete", "flush"] as const);
    if (what === "delete") return known.delete(await hasWorked(store.deleteKey(key)));
    if (what === "flush") return void (await hasWorked(store.flush()));
    const log = await store.log(key).catch(() => undefined);
    if (log === undefined) return;
    const offset = log.startOffset + random.below(log.endOffset - log.startOffset + 1);
    if (what === "close") {
      // Appends that come meanwhile wait for it.
      this.#flying.push(hasWorked(log.close()));
    } else if (what === "cut") {
      known.cut(offset, await hasWorked(log.truncateTo(offset)));
    } else {
      known.startOffset = Math.max(known.startOffset, offset);
      await hasWorked(log.deleteBefore(offset));
    }
  }

  async #landed(): Promise<void> {
    await Promise.all(this.#flying.splice(0));
  }
}

async function hasWorked(run: Promise<unknown>): Promise<boolean> {
  return run.then(
    () => true,
    () => false,
  );
}

describe("a store with a journal, through failures, deletions and kills", () => {
  it.each(SEEDS)("keeps what it acknowledged, in order and once (seed %s)", async (seed) => {
    const life = new Life(seed);
    await life.run();
    expect(life.journalWrites).toBeGreaterThan(0);
  });
});
