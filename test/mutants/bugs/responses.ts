import type { Mutant } from "../mutant.js";

const budget = { files: ["server/response-budget.test.ts"] };
const foreignClients = "server/foreign-clients.test.ts";
const slowReaders = "server/slow-readers.test.ts";

/** What responses to slow readers hold, and who gives way. */
export const responseBugs: readonly Mutant[] = [
  {
    name: "read-above-what-clients-take",
    bug: "answers a read with more than clients of gRPC take in one message",
    file: "server/read-calls.ts",
    find: "fittingRecords(found.records, limits.maxPollBytes);",
    replace: "fittingRecords(found.records, Number.POSITIVE_INFINITY);",
    suite: { files: [foreignClients], pattern: "by the usual limit" },
  },
  {
    name: "follow-above-what-clients-take",
    bug: "streams messages that are longer than clients of gRPC take",
    file: "server/follow.ts",
    find: "fittingRecords(look.records, limits.maxPollBytes)",
    replace: "fittingRecords(look.records, Number.POSITIVE_INFINITY)",
    suite: { files: [foreignClients], pattern: "by the usual limit" },
  },
  {
    name: "records-cost-nothing-around-them",
    bug: "forgets what stands around the records of a response when it counts what fits",
    file: "wire/fitting-records.ts",
    find: "const RECORD_BYTES = 48;",
    replace: "const RECORD_BYTES = 8;",
    suite: { files: ["wire/fitting-records.test.ts"] },
  },
  {
    name: "response-kept-after-its-call",
    bug: "keeps the room of a response when its call has ended",
    file: "server/response-room.ts",
    find: "    this.#source.giveBack(this.reader, bytes);\n    this.#onTaken();\n",
    replace: "    void bytes;\n    this.#onTaken();\n",
    suite: budget,
  },
  {
    name: "long-response-kept-while-it-waits",
    bug: "keeps a response for which there is no room once it is known how long it is",
    file: "server/response-cost.ts",
    find: "    if (room.settle(bytes)) return found;\n",
    replace: "    room.settle(bytes);\n    return found;\n",
    suite: budget,
  },
  {
    name: "all-room-for-stalled-readers",
    bug: "gives all the room to readers that have never taken anything",
    file: "server/response-budget.ts",
    find: "    return this.#unprovenBytes + bytes <= this.#maxBytes / 2;\n",
    replace: "    return this.#unprovenBytes + bytes <= this.#maxBytes;\n",
    suite: budget,
  },
  {
    name: "small-responses-overtake",
    bug: "lets small responses overtake a large one that waits for room, for ever",
    file: "server/response-budget.ts",
    find: "      if (!this.#isFree(waiter.bytes)) return false;\n",
    replace: "      if (!this.#isFree(waiter.bytes)) continue;\n",
    suite: budget,
  },
  {
    name: "stalled-response-kept-for-good",
    bug: "keeps a response of which nothing is taken for as long as nobody waits",
    file: "server/response-budget.ts",
    find: "      if (idleMs >= this.#stallMs) room.end",
    replace: "      if (idleMs === Number.POSITIVE_INFINITY) room.end",
    suite: budget,
  },
  {
    name: "slow-reader-ended",
    bug: "ends a response that is taken slowly as if nothing were taken",
    file: "server/response-writer.ts",
    find: "() => room.progress();",
    replace: "() => undefined;",
    suite: { files: [slowReaders], pattern: "that are slow keep their streams" },
  },
  {
    name: "ended-call-counts-as-ok",
    bug: "counts a call as OK whose response was ended",
    file: "server/call-interceptor.ts",
    find: "      room.whenTaken(() => end(room.failure));\n",
    replace: "      end();\n",
    suite: { files: [slowReaders], pattern: "share what Read may hold" },
  },
];
