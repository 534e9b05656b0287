import { CommitChecker } from "./commit-checker.js";
import { Findings, HighWater } from "./findings.js";
import type { History, Operation } from "./history.js";
import { faultOf, isSend, polledOf, sendOf, wasRefused } from "./kafka-wire.js";
import { PollChecker } from "./poll-checker.js";
import type { Verdict } from "./verdict.js";

/** What is expected of a history beyond what Jepsen expects of each. */
export interface Expectations {
  /**
   * Whether all clients see the same moment: a message is readable once it was acknowledged or
   * seen, and offsets of sends, and committed offsets, follow the order of the requests of
   * different clients, too. A single node can do that. Without it, as in Maelstrom, only what each
   * client sees has an order, and what is out of date is merely counted. Default: true.
   */
  readonly realtime?: boolean;
  /** Whether everything is read and listed in the end, so that what is missing is lost. Default: false. */
  readonly readToEnd?: boolean;
  /** The most messages of one key that an answer to a poll may hold. Default: any number. */
  readonly maxMessagesPerKey?: number;
}

/**
 * Checks a history of the `kafka` workload.
 *
 * Within a key, all messages that are sent must differ.
 */
export function checkKafkaHistory(history: History, expectations: Expectations = {}): Verdict {
  return new Checker(history.operations, expectations).check();
}

class Checker {
  readonly #operations: readonly Operation[];
  readonly #expected: Required<Expectations>;
  readonly #findings = new Findings();
  readonly #polls: PollChecker;
  readonly #commits: CommitChecker;
  /** By key, or client and key, the highest offset of a send that has been acknowledged so far. */
  readonly #acknowledged = new HighWater();
  /** What that was when a send was asked. */
  readonly #acknowledgedBefore = new Map<Operation, number>();

  constructor(operations: readonly Operation[], expectations: Expectations) {
    this.#operations = operations;
    this.#expected = {
      realtime: true,
      readToEnd: false,
      maxMessagesPerKey: Number.POSITIVE_INFINITY,
      ...expectations,
    };
    this.#polls = new PollChecker(this.#findings, this.#expected);
    this.#commits = new CommitChecker(this.#findings, this.#expected);
  }

  check(): Verdict {
    for (const operation of this.#operations) if (isSend(operation)) this.#recordSent(operation);
    const complete = this.#operations.filter((operation) => this.#hasGoodReply(operation));
    for (const operation of complete) this.#recordMessages(operation);
    for (const facts of this.#findings.keys.values()) {
      facts.offsets = [...facts.messageAt.keys()].sort((a, b) => a - b);
    }
    this.#walk(new Set(complete));
    const unseen = this.#checkAllSeen();
    if (this.#expected.readToEnd) this.#commits.checkNoneLost();
    const replies = this.#operations.map((operation) => operation.reply);
    return {
      anomalies: this.#findings.anomalies,
      acknowledged: complete.filter(isSend).length,
      unseen,
      polled: this.#polls.polled,
      stalePolls: this.#polls.stalePolls,
      staleLists: this.#commits.staleLists,
      refused: replies.filter((reply) => reply?.type === "error").length,
      unanswered: replies.filter((reply) => reply === undefined).length,
    };
  }

  #recordSent(operation: Operation): void {
    const { key, message } = sendOf(operation);
    const { sentBy } = this.#findings.of(key);
    if (sentBy.has(message)) throw new Error(`${message} is sent to key ${key} twice`);
    sentBy.set(message, operation);
  }

  /** Errors are no good reply either, but none to complain about. */
  #hasGoodReply(operation: Operation): boolean {
    const { reply, request } = operation;
    if (reply === undefined || reply.type === "error") return false;
    const wrong = reply.type === `${request.type}_ok` ? faultOf(operation) : "another type";
    if (wrong !== undefined) {
      const detail = `${wrong}: ${JSON.stringify({ request, reply })}`;
      this.#findings.report("malformed-reply", "", detail);
    }
    return wrong === undefined;
  }

  #recordMessages(operation: Operation): void {
    if (isSend(operation)) {
      const { key, message } = sendOf(operation);
      const offset = Number(operation.reply?.offset);
      this.#recordMessage(key, offset, message);
      this.#findings.of(key).acknowledged.set(message, offset);
    }
    if (operation.request.type !== "poll") return;
    for (const [key, pairs] of polledOf(operation)) {
      const facts = this.#findings.of(key);
      for (const [offset, message] of pairs) {
        this.#recordMessage(key, offset, message);
        facts.polled.add(message);
        facts.polledTo = Math.max(facts.polledTo, offset);
        this.#checkSent(key, offset, message, operation);
      }
    }
  }

  #recordMessage(key: string, offset: number, message: string): void {
    const { messageAt, offsetOf } = this.#findings.of(key);
    const other = messageAt.get(offset);
    if (other !== undefined && other !== message) {
      const detail = `${other} and ${message} at offset ${offset}`;
      this.#findings.report("inconsistent-offsets", key, detail);
    }
    const elsewhere = offsetOf.get(message);
    if (elsewhere !== undefined && elsewhere !== offset) {
      const detail = `${message} at offsets ${elsewhere} and ${offset}`;
      this.#findings.report("duplicate", key, detail);
    }
    messageAt.set(offset, message);
    offsetOf.set(message, offset);
  }

  #checkSent(key: string, offset: number, message: string, poll: Operation): void {
    const send = this.#findings.of(key).sentBy.get(message);
    const report = (what: string) =>
      this.#findings.report("phantom", key, `${message} at offset ${offset} ${what}`);
    if (!send) report("was never sent");
    else if (send.invokedAt > poll.completedAt) report("was sent only later");
    else if (wasRefused(send)) report("had been refused");
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
    const { type } = operation.request;
    if (type === "send") {
      this.#acknowledgedBefore.set(operation, this.#acknowledged.at(...this.#orderOf(operation)));
    } else if (type === "poll") this.#polls.begin(operation);
    else this.#commits.begin(operation);
  }

  #complete(operation: Operation): void {
    const { type } = operation.request;
    if (type === "send") this.#completeSend(operation);
    else if (type === "poll") this.#polls.complete(operation);
    else this.#commits.complete(operation);
  }

  /** Sends with the same order get rising offsets. */
  #orderOf(send: Operation): readonly string[] {
    const { key } = sendOf(send);
    return this.#expected.realtime ? [key] : [send.client, key];
  }

  #completeSend(operation: Operation): void {
    const { key, message } = sendOf(operation);
    const offset = Number(operation.reply?.offset);
    const before = this.#acknowledgedBefore.get(operation) ?? -1;
    if (offset <= before) {
      const detail = `${message} got offset ${offset} after ${before} was given out`;
      this.#findings.report("nonmonotonic-send", key, detail);
    }
    this.#acknowledged.raise(offset, ...this.#orderOf(operation));
    this.#polls.nowReadable(key, offset);
  }

  /** Returns how many messages were acknowledged and never seen. */
  #checkAllSeen(): number {
    let unseen = 0;
    for (const [key, { acknowledged, polled, polledTo }] of this.#findings.keys) {
      for (const [message, offset] of acknowledged) {
        if (polled.has(message)) continue;
        unseen++;
        const detail = `${message} at offset ${offset}, polls came to ${polledTo}`;
        if (offset <= polledTo) this.#findings.report("lost-write", key, detail);
        if (this.#expected.readToEnd) this.#findings.report("unseen", key, detail);
      }
    }
    return unseen;
  }
}
