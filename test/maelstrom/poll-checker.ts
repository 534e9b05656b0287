import { type Findings, HighWater } from "./findings.js";
import type { Operation } from "./history.js";
import { keysOf, numbersOf, type Pairs, polledOf } from "./kafka-wire.js";

/** What is expected of polls. */
interface PollExpectations {
  readonly realtime: boolean;
  readonly maxMessagesPerKey: number;
}

/**
 * Checks answers to polls, moment by moment: that their offsets rise, that they leave nothing out,
 * and how much they are out of date. All messages of the history must be known already.
 */
export class PollChecker {
  readonly #findings: Findings;
  readonly #expected: PollExpectations;
  /** By key, the highest offset known to be readable at the current moment. */
  readonly #readable = new HighWater();
  /** What that was when a poll was asked, by key. */
  readonly #readableBefore = new Map<Operation, ReadonlyMap<string, number>>();
  #polled = 0;
  #stalePolls = 0;

  constructor(findings: Findings, expected: PollExpectations) {
    this.#findings = findings;
    this.#expected = expected;
  }

  /** Messages in answers so far. */
  get polled(): number {
    return this.#polled;
  }

  /** Answers so far that were empty for a key though a message was known to be there. */
  get stalePolls(): number {
    return this.#stalePolls;
  }

  /** A message is there from now on. */
  nowReadable(key: string, offset: number): void {
    this.#readable.raise(offset, key);
  }

  /** A poll was asked. */
  begin(poll: Operation): void {
    const readable = keysOf(poll).map((key) => [key, this.#readable.at(key)] as const);
    this.#readableBefore.set(poll, new Map(readable));
  }

  /** A poll was answered, and well. */
  complete(poll: Operation): void {
    const polled = polledOf(poll);
    for (const [key, from] of numbersOf(poll.request.offsets)) {
      const pairs = polled.get(key) ?? [];
      this.#polled += pairs.length;
      if (pairs.length > this.#expected.maxMessagesPerKey) {
        this.#findings.report("too-many", key, `${pairs.length} messages in one answer`);
      }
      this.#checkOrder(key, from, pairs);
      this.#checkNothingSkipped(key, from, pairs);
      const readableTo = this.#readableBefore.get(poll)?.get(key) ?? -1;
      if (polled.has(key)) this.#checkRecent(key, from, pairs, readableTo);
      for (const [offset] of pairs) this.nowReadable(key, offset);
    }
  }

  #checkOrder(key: string, from: number, pairs: Pairs): void {
    const offsets = pairs.map(([offset]) => offset);
    const detail = `from ${from}: ${offsets.join(", ")}`;
    const [first] = offsets;
    if (first !== undefined && first < from) {
      this.#findings.report("nonmonotonic-poll", key, detail);
    }
    if (offsets.some((offset, index) => index > 0 && offset <= (offsets[index - 1] as number))) {
      this.#findings.report("int-nonmonotonic-poll", key, detail);
    }
  }

  #checkNothingSkipped(key: string, from: number, pairs: Pairs): void {
    const { offsets, messageAt } = this.#findings.of(key);
    const seen = new Set(pairs.map(([offset]) => offset));
    const [first, last] = [Math.min(...seen), Math.max(...seen)];
    for (const offset of offsets) {
      if (offset < from || offset > last || seen.has(offset)) continue;
      const detail = `${messageAt.get(offset)} at offset ${offset}, in a poll from ${from} to ${last}`;
      this.#findings.report(offset < first ? "poll-skip" : "int-poll-skip", key, detail);
    }
  }

  /** An answer may be short, or leave out a key; but an empty one says that this is the end. */
  #checkRecent(key: string, from: number, pairs: Pairs, readableTo: number): void {
    if (pairs.length > 0 || readableTo < from) return;
    this.#stalePolls++;
    if (!this.#expected.realtime) return;
    const message = this.#findings.of(key).messageAt.get(readableTo);
    const detail = `a poll from ${from} found nothing, not ${message} at offset ${readableTo}`;
    this.#findings.report("stale-poll", key, detail);
  }
}
