import assert from "node:assert/strict";
import type { CommitLog } from "../../src/log/commit-log.js";
import { textOf } from "../support/log-builder.js";

/** One record that was given to a log. */
interface Tried {
  readonly value: string;
  /** All records of its call, in order. */
  readonly batch: readonly Tried[];
  /** `"refused"` is a promise, too: it is not stored. `"gone"` was truncated, or lost for good. */
  fate: "unknown" | "acknowledged" | "refused" | "gone";
  /** Of an acknowledged one. */
  offset: number;
  /** On stable storage, by what the log has said. */
  isDurable: boolean;
}

/** What is left to look at. */
export type Remains =
  /** The log that was tried, still open. */
  | "session"
  /** All that was written: only a process ended. */
  | "process"
  /** Only what was synced. */
  | "power";

/** What a log must hold, by what it has said of each call. */
export class LogModel {
  readonly #prefix: string;
  #tried: Tried[] = [];
  readonly #places = new Map<string, number>();
  /** Start offsets that the log may have. */
  #starts = [0];
  #isRetained = false;
  /** Of truncations that may have come to pass, the lowest. */
  #doubtfulCut = Number.POSITIVE_INFINITY;

  /** @param prefix - Begins every value, so that those of other logs are known as such. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** One that goes on by itself from here. */
  copy(): LogModel {
    const copy = new LogModel(this.#prefix);
    copy.#tried = structuredClone(this.#tried);
    for (const [value, place] of this.#places) copy.#places.set(value, place);
    copy.#starts = [...this.#starts];
    copy.#isRetained = this.#isRetained;
    copy.#doubtfulCut = this.#doubtfulCut;
    return copy;
  }

  /** Values for one call, each of so many bytes at least. */
  try(count: number, bytes: number): readonly Tried[] {
    const batch: Tried[] = [];
    for (let index = 0; index < count; index++) {
      const place = this.#tried.length;
      const value = `${this.#prefix}${place}.`.padEnd(bytes, "seglog ");
      const fate = "unknown";
      this.#tried.push({ value, batch, fate, offset: -1, isDurable: false });
      batch.push(this.#tried[place]!);
      this.#places.set(value, place);
    }
    return batch;
  }

  /** One past the last offset that was acknowledged. */
  get endOffset(): number {
    const ends = this.#tried.map(({ fate, offset }) => (fate === "acknowledged" ? offset + 1 : 0));
    return Math.min(Math.max(0, ...ends), this.#doubtfulCut);
  }

  acknowledge(batch: readonly Tried[], baseOffset: number, isDurable: boolean): void {
    for (const [index, tried] of batch.entries()) {
      tried.fate = "acknowledged";
      tried.offset = baseOffset + index;
      tried.isDurable = isDurable;
    }
  }

  refuse(batch: readonly Tried[]): void {
    for (const tried of batch) tried.fate = "refused";
  }

  /** Everything that was acknowledged is on stable storage. */
  flushed(): void {
    for (const tried of this.#tried) tried.isDurable ||= tried.fate === "acknowledged";
  }

  truncated(offset: number): void {
    for (const tried of this.#tried) {
      if (tried.fate === "acknowledged" && tried.offset >= offset) tried.fate = "gone";
    }
  }

  /** Returns how to say that it has not been. */
  mayBeTruncated(offset: number): () => void {
    const before = this.#doubtfulCut;
    this.#doubtfulCut = Math.min(before, offset);
    return () => {
      this.#doubtfulCut = before;
    };
  }

  deletedBefore(offset: number): void {
    this.#starts = [offset];
  }

  mayBeDeletedBefore(offset: number): void {
    this.#starts.push(offset);
  }

  /** Retention may delete whatever it likes, but for the last segment. */
  retain(): void {
    this.#isRetained = true;
  }

  /** Whether there must be a log of this at all. */
  mustBeThere(remains: Remains): boolean {
    return this.#tried.some(
      ({ fate, isDurable }) => fate === "acknowledged" && (remains !== "power" || isDurable),
    );
  }

  /** Compares a log with this; all of it is read. Returns what it holds, by offset. */
  async check(log: CommitLog, remains: Remains): Promise<ReadonlyMap<number, Tried>> {
    const { startOffset } = log;
    const mayStart = this.#isRetained || this.#starts.includes(startOffset);
    assert(mayStart, `the start offset is ${startOffset}`);
    const found = new Map<number, Tried>();
    let place = -1;
    let expected = log.startOffset;
    for await (const { offset, value } of log.records()) {
      assert.equal(offset, expected++, "offsets follow each other");
      const text = textOf(value);
      const at = this.#places.get(text);
      assert(at !== undefined, `${text} at ${offset} is made up`);
      assert(at > place, `${text} at ${offset} is out of order`);
      place = at;
      found.set(offset, this.#tried[at]!);
    }
    assert.equal(expected, log.endOffset, "the end offset");
    for (const [offset, tried] of found) this.#checkFound(offset, tried, found, log, remains);
    for (const tried of this.#tried) {
      if (tried.fate === "acknowledged") this.#checkAcknowledged(tried, found, log, remains);
    }
    return found;
  }

  /** As {@link check}, of a log that goes on: what was in doubt is so no longer. */
  async adopt(log: CommitLog): Promise<void> {
    const found = await this.check(log, "process");
    for (const tried of this.#tried) if (tried.fate !== "refused") tried.fate = "gone";
    for (const [offset, tried] of found) this.acknowledge([tried], offset, true);
    this.#starts = [log.startOffset];
    this.#doubtfulCut = Number.POSITIVE_INFINITY;
  }

  #checkFound(
    offset: number,
    tried: Tried,
    found: ReadonlyMap<number, Tried>,
    log: CommitLog,
    remains: Remains,
  ): void {
    const what = `${tried.value} at ${offset}`;
    const { fate } = tried;
    if (fate === "acknowledged") assert.equal(offset, tried.offset, `${what} was moved`);
    else assert.equal(fate, "unknown", `${what} was told to be ${fate}`);
    assert(fate !== "unknown" || remains !== "session", `${what} is shown too early`);
    const first = offset - tried.batch.indexOf(tried);
    for (const [index, mate] of tried.batch.entries()) {
      const at = first + index;
      if (at < log.startOffset || at >= this.#doubtfulCut || mate.fate === "gone") continue;
      assert.equal(found.get(at), mate, `${what} came without ${mate.value}`);
    }
  }

  #checkAcknowledged(
    tried: Tried,
    found: ReadonlyMap<number, Tried>,
    log: CommitLog,
    remains: Remains,
  ): void {
    const { offset } = tried;
    if (offset < log.startOffset || found.get(offset) === tried) return;
    if (offset >= this.#doubtfulCut && log.endOffset <= this.#doubtfulCut) return;
    if (remains === "power" && !tried.isDurable) return;
    assert.fail(`${tried.value}, acknowledged at ${offset}, is lost`);
  }
}
