import type { History, Operation } from "./history.js";
import {
  faultOf,
  isSend,
  keysOf,
  numbersOf,
  type Pairs,
  polledOf,
  sendOf,
  wasRefused,
} from "./kafka-wire.js";
import type { Anomaly, AnomalyKind, Verdict } from "./verdict.js";

/** What is known of one key. */
class KeyFacts {
  readonly messageAt = new Map<number, string>();
  readonly offsetOf = new Map<string, number>();
  readonly sentBy = new Map<string, Operation>();
  readonly polled = new Set<number>();
  /** The highest offset known to be readable at the current moment of the walk; -1 for none. */
  readableTo = -1;
  /** The highest offset of a send that has been acknowledged so far. */
  acknowledgedTo = -1;
  /** Between these the committed offset must be: acknowledged or seen, and asked for. */
  committedFloor = -1;
  committedCeiling = -1;
  offsets: readonly number[] = [];
}

/** What a request must be judged by: how things stood when it was asked. */
interface Snapshot {
  readonly readableTo: ReadonlyMap<string, number>;
  readonly acknowledgedTo: number;
  readonly committedFloor: ReadonlyMap<string, number>;
}

/**
 * Checks a history of the `kafka` workload. Beyond what the workload demands, it expects of a
 * single node that a message is readable once it was acknowledged or seen, and that offsets follow
 * the order of sends of different clients, too.
 *
 * Within a key, all messages that are sent must differ.
 *
 * @param maxMessagesPerKey - The most messages of one key that an answer to a poll may hold.
 */
export function checkKafkaHistory(
  history: History,
  maxMessagesPerKey = Number.POSITIVE_INFINITY,
): Verdict {
  return new Checker(history.operations, maxMessagesPerKey).check();
}

class Checker {
  readonly #operations: readonly Operation[];
  readonly #maxMessagesPerKey: number;
  readonly #keys = new Map<string, KeyFacts>();
  readonly #anomalies: Anomaly[] = [];
  readonly #snapshots = new Map<Operation, Snapshot>();
  #acknowledged = 0;
  #polled = 0;

  constructor(operations: readonly Operation[], maxMessagesPerKey: number) {
    this.#operations = operations;
    this.#maxMessagesPerKey = maxMessagesPerKey;
  }

  check(): Verdict {
    for (const operation of this.#operations) if (isSend(operation)) this.#recordSent(operation);
    const complete = this.#operations.filter((operation) => this.#hasGoodReply(operation));
    for (const operation of complete) this.#recordMessages(operation);
    for (const facts of this.#keys.values()) {
      facts.offsets = [...facts.messageAt.keys()].sort((a, b) => a - b);
    }
    this.#walk(new Set(complete));
    const replies = this.#operations.map((operation) => operation.reply);
    return {
      anomalies: this.#anomalies,
      acknowledged: this.#acknowledged,
      unseen: this.#countUnseen(complete),
      polled: this.#polled,
      refused: replies.filter((reply) => reply?.type === "error").length,
      unanswered: replies.filter((reply) => reply === undefined).length,
    };
  }

  #facts(key: string): KeyFacts {
    const facts = this.#keys.get(key) ?? new KeyFacts();
    this.#keys.set(key, facts);
    return facts;
  }

  #report(kind: AnomalyKind, key: string, detail: string): void {
    this.#anomalies.push({ kind, key, detail });
  }

  #recordSent(operation: Operation): void {
    const { key, message } = sendOf(operation);
    const { sentBy } = this.#facts(key);
    if (sentBy.has(message)) throw new Error(`${message} is sent to key ${key} twice`);
    sentBy.set(message, operation);
  }

  /** Errors are no good reply either, but none to complain about. */
  #hasGoodReply(operation: Operation): boolean {
    const { reply, request } = operation;
    if (reply === undefined || reply.type === "error") return false;
    const wrong = reply.type === `${request.type}_ok` ? faultOf(operation) : "another type";
    if (wrong !== undefined) {
      this.#report("malformed-reply", "", `${wrong}: ${JSON.stringify({ request, reply })}`);
    }
    return wrong === undefined;
  }

  #recordMessages(operation: Operation): void {
    if (isSend(operation)) {
      const { key, message } = sendOf(operation);
      this.#recordMessage(key, Number(operation.reply?.offset), message);
    }
    if (operation.request.type !== "poll") return;
    for (const [key, pairs] of polledOf(operation)) {
      for (const [offset, message] of pairs) {
        this.#recordMessage(key, offset, message);
        this.#facts(key).polled.add(offset);
        this.#checkSent(key, offset, message, operation);
      }
    }
  }

  #recordMessage(key: string, offset: number, message: string): void {
    const { messageAt, offsetOf } = this.#facts(key);
    const other = messageAt.get(offset);
    if (other !== undefined && other !== message) {
      this.#report("inconsistent-offset", key, `${other} and ${message} at offset ${offset}`);
    }
    const elsewhere = offsetOf.get(message);
    if (elsewhere !== undefined && elsewhere !== offset) {
      this.#report("duplicate", key, `${message} at offsets ${elsewhere} and ${offset}`);
    }
    messageAt.set(offset, message);
    offsetOf.set(message, offset);
  }

  #checkSent(key: string, offset: number, message: string, poll: Operation): void {
    const send = this.#facts(key).sentBy.get(message);
    const detail = `${message} at offset ${offset}`;
    if (!send) this.#report("phantom", key, `${detail} was never sent`);
    else if (send.invokedAt > poll.completedAt) {
      this.#report("phantom", key, `${detail} was sent only later`);
    } else if (wasRefused(send)) this.#report("phantom", key, `${detail} had been refused`);
  }

  /** Goes through the history moment by moment, with what was known at each. */
  #walk(complete: ReadonlySet<Operation>): void {
    const moments = this.#operations.flatMap((operation) => [
      { at: operation.invokedAt, operation, begins: true },
      ...(complete.has(operation) ? [{ at: operation.completedAt, operation, begins: false }] : []),
    ]);
    moments.sort((a, b) => a.at - b.at);
    for (const { operation, begins } of moments) {
      if (begins) this.#begin(operation);
      else this.#complete(operation);
    }
  }

  #begin(operation: Operation): void {
    const keys = keysOf(operation);
    if (operation.request.type === "commit_offsets" && !wasRefused(operation)) {
      for (const [key, offset] of numbersOf(operation.request.offsets)) {
        const facts = this.#facts(key);
        facts.committedCeiling = Math.max(facts.committedCeiling, offset);
      }
    }
    this.#snapshots.set(operation, {
      readableTo: new Map(keys.map((key) => [key, this.#facts(key).readableTo])),
      acknowledgedTo: keys[0] === undefined ? -1 : this.#facts(keys[0]).acknowledgedTo,
      committedFloor: new Map(keys.map((key) => [key, this.#facts(key).committedFloor])),
    });
  }

  #complete(operation: Operation): void {
    const snapshot = this.#snapshots.get(operation);
    if (!snapshot) throw new Error("an answer came before its request");
    const { type } = operation.request;
    if (type === "send") this.#completeSend(operation, snapshot);
    if (type === "poll") this.#completePoll(operation, snapshot);
    if (type === "commit_offsets") this.#completeCommit(operation);
    if (type === "list_committed_offsets") this.#completeList(operation, snapshot);
  }

  #completeSend(operation: Operation, before: Snapshot): void {
    const { key, message } = sendOf(operation);
    const offset = Number(operation.reply?.offset);
    const facts = this.#facts(key);
    if (offset <= before.acknowledgedTo) {
      const detail = `${message} got offset ${offset} after ${before.acknowledgedTo} was given out`;
      this.#report("non-monotonic-send", key, detail);
    }
    this.#acknowledged++;
    facts.acknowledgedTo = Math.max(facts.acknowledgedTo, offset);
    facts.readableTo = Math.max(facts.readableTo, offset);
  }

  #completePoll(operation: Operation, before: Snapshot): void {
    const polled = polledOf(operation);
    for (const [key, from] of numbersOf(operation.request.offsets)) {
      const pairs = polled.get(key) ?? [];
      const facts = this.#facts(key);
      this.#polled += pairs.length;
      if (pairs.length > this.#maxMessagesPerKey) {
        this.#report("too-many", key, `${pairs.length} messages in one answer`);
      }
      this.#checkOrder(key, from, pairs);
      this.#checkNothingMissing(key, from, pairs, before.readableTo.get(key) ?? -1);
      for (const [offset] of pairs) facts.readableTo = Math.max(facts.readableTo, offset);
    }
  }

  #checkOrder(key: string, from: number, pairs: Pairs): void {
    let previous = from - 1;
    for (const [offset] of pairs) {
      if (offset <= previous) {
        const offsets = pairs.map(([at]) => at).join(", ");
        this.#report("non-monotonic-poll", key, `from ${from}: ${offsets}`);
        return;
      }
      previous = offset;
    }
  }

  #checkNothingMissing(key: string, from: number, pairs: Pairs, readableTo: number): void {
    const { offsets } = this.#facts(key);
    const seen = new Set(pairs.map(([offset]) => offset));
    const last = Math.max(...seen, from - 1);
    for (const offset of offsets) {
      if (offset >= from && offset <= last && !seen.has(offset)) {
        this.#reportMissing(key, offset, "skipped", `a poll from ${from} reached ${last}`);
      }
    }
    // An answer may be short, but not empty, or a client would take this for the end.
    if (pairs.length === 0 && readableTo >= from) {
      this.#reportMissing(key, readableTo, "stale-poll", `a poll from ${from} found nothing`);
    }
  }

  #reportMissing(key: string, offset: number, kind: AnomalyKind, detail: string): void {
    const { messageAt, polled } = this.#facts(key);
    const missed = `${detail} without ${messageAt.get(offset)} at offset ${offset}`;
    this.#report(polled.has(offset) ? kind : "lost-write", key, missed);
  }

  #completeCommit(operation: Operation): void {
    for (const [key, offset] of numbersOf(operation.request.offsets)) {
      const facts = this.#facts(key);
      facts.committedFloor = Math.max(facts.committedFloor, offset);
    }
  }

  #completeList(operation: Operation, before: Snapshot): void {
    const listed = numbersOf(operation.reply?.offsets);
    for (const key of keysOf(operation)) {
      const facts = this.#facts(key);
      const offset = listed.get(key) ?? -1;
      const floor = before.committedFloor.get(key) ?? -1;
      if (offset < floor) {
        this.#report("committed-backwards", key, `${offset} is listed after ${floor}`);
      }
      if (offset > facts.committedCeiling) {
        const detail = `${offset} is listed, ${facts.committedCeiling} is the most ever committed`;
        this.#report("committed-made-up", key, detail);
      }
      facts.committedFloor = Math.max(facts.committedFloor, offset);
    }
  }

  #countUnseen(complete: readonly Operation[]): number {
    return complete.filter(
      (operation) =>
        isSend(operation) &&
        !this.#facts(sendOf(operation).key).polled.has(Number(operation.reply?.offset)),
    ).length;
  }
}
