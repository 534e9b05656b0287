import type { Mutant } from "../mutant.js";

const producer = (pattern: string) => ({ files: ["client/producer.test.ts"], pattern });

/** What a client stores once, in order, and does not lose from sight. */
export const clientBugs: readonly Mutant[] = [
  {
    name: "client-numbers-of-what-may-be-stored",
    bug: "gives the numbers of a batch that may be stored to the next one",
    file: "client/key-queue.ts",
    find: "    if (isCertain && !isForgotten) this.#nextSequence = first.sequence;",
    replace: "    if (!isForgotten) this.#nextSequence = first.sequence;",
    suite: producer("is given up after the delivery timeout"),
  },
  {
    name: "client-forgets-the-unanswered",
    bug: "drops the batches without an answer when a stream breaks",
    file: "client/append-lane.ts",
    find: "    for (const each of unanswered) this.#outbox.failed(each, broken);",
    replace: "    this.#outbox.failed(batch, broken);",
    hangs: true,
    suite: producer("is sent again under its number and stored once"),
  },
  {
    name: "client-joins-an-expired-batch",
    bug: "lets a record join a batch whose time is up",
    file: "client/key-queue.ts",
    find: "    if (batch === this.open) this.open = undefined;\n    const place",
    replace: "    const place",
    suite: producer("takes no record any more once its time is up"),
  },
  {
    name: "client-keeps-the-callers-bytes",
    bug: "sends the caller's buffer as it is later",
    file: "client/outgoing-batch.ts",
    find: "    else this.#bytes.set(value, start);",
    replace: "    else this.#bytes = value as Buffer;",
    suite: producer("are copies: the caller may use its buffers again"),
  },
  {
    name: "consumer-commits-what-it-is-at",
    bug: "commits the record that is being processed",
    file: "client/consumer.ts",
    find: "    if (this.#processed.size > 0) await this.#commit(this.#processed);",
    replace: "    if (this.#processed.size > 0) await this.#commit(this.#handedOut);",
    suite: { files: ["client/consumer.test.ts"], pattern: "not what it was at" },
  },
];
