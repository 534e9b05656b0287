import type { Mutant } from "../mutant.js";

const producer = (pattern: string) => ({ files: ["client/producer.test.ts"], pattern });
const manyKeys = (pattern: string) => ({ files: ["client/many-keys.test.ts"], pattern });

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
    find: "    if (processed.size > 0) await this.#commit(processed);",
    replace: "    if (processed.size > 0) await this.#commit(this.#progress.handedOut);",
    suite: { files: ["client/consumer.test.ts"], pattern: "not what it was at" },
  },
  {
    name: "client-begins-a-forgotten-key-anew",
    bug: "gives the numbers of a key that it has forgotten a second time",
    file: "client/key-queues.ts",
    find: "    if (this.#owner.isNamed) this.#hasForgotten = true;",
    replace: "    if (this.#owner.isNamed) this.#hasForgotten = false;",
    suite: manyKeys("asks where it stands"),
  },
  {
    name: "client-keeps-the-id-of-forgotten-keys",
    bug: "sends to keys that it has forgotten under the id that it had for them",
    file: "client/key-queues.ts",
    find: "    else this.#identity = anonymousIdentity();",
    replace: "    else this.#identity = { ...this.#identity };",
    suite: manyKeys("without a name sends to more keys"),
  },
  {
    name: "client-forgets-a-key-in-use",
    bug: "forgets a key to which something is under way",
    file: "client/key-queues.ts",
    find: "    if (!oldest.isIdle) return;",
    replace: "",
    suite: manyKeys("sends to more keys than it remembers"),
  },
  {
    name: "client-takes-the-place-of-its-predecessor",
    bug: "goes on with the numbers that an earlier producer of its name had",
    file: "client/sender.ts",
    find: "    return stored?.epoch === epoch ? stored.nextSequence : 0;",
    replace: "    return stored !== undefined && epoch > 0 ? stored.nextSequence : 0;",
    suite: manyKeys("begins anew where only its predecessor has sent"),
  },
  {
    name: "client-commits-the-first-part",
    bug: "commits the first keys of many, and none of the others",
    file: "client/remote-group.ts",
    find: "  for (let start = 0; start < all.length; start += KEYS_PER_CALL) {",
    replace: "  for (let start = 0; start < Math.min(all.length, 1); start += KEYS_PER_CALL) {",
    suite: { files: ["client/remote-group.test.ts"], pattern: "more keys than a message" },
  },
  {
    name: "client-admits-after-the-end",
    bug: "lets in what waits for room when the producer was fenced, and never tells of it",
    file: "client/outbox.ts",
    find: "    if (this.#fatalError === undefined) this.onRoom();",
    replace:
      "    const fatalError = this.#fatalError;\n    this.#fatalError = undefined;\n    this.onRoom();\n    this.#fatalError = fatalError;",
    suite: producer("fails also what waits for room"),
  },
];
