import { describe, expect, it } from "vitest";
import { type Body, History } from "./history.js";
import { checkKafkaHistory, type Expectations } from "./kafka-checker.js";
import type { AnomalyKind, Verdict } from "./verdict.js";

/** Each step is a request with its answer, and who asked; the next one begins after it. */
type Step = readonly [request: Body, reply: Body | undefined, client?: string];

/** The same step of another client. */
const other = ([request, reply]: Step): Step => [request, reply, "other"];

const send = (message: unknown, offset: number | undefined, key = "k"): Step => [
  { type: "send", key, msg: message },
  offset === undefined ? undefined : { type: "send_ok", offset },
];

const refusedSend = (message: unknown, code: number): Step => [
  { type: "send", key: "k", msg: message },
  { type: "error", code, text: "" },
];

const poll = (from: number, ...pairs: readonly (readonly [number, unknown])[]): Step => [
  { type: "poll", offsets: { k: from } },
  { type: "poll_ok", msgs: { k: pairs } },
];

const commit = (offset: number, answered = true): Step => [
  { type: "commit_offsets", offsets: { k: offset } },
  answered ? { type: "commit_offsets_ok" } : undefined,
];

const list = (offset?: number): Step => [
  { type: "list_committed_offsets", keys: ["k"] },
  { type: "list_committed_offsets_ok", offsets: offset === undefined ? {} : { k: offset } },
];

function check(steps: readonly Step[], expectations?: Expectations): Verdict {
  const history = new History();
  for (const [request, reply, client = "c"] of steps) {
    const operation = history.invoke(client, request);
    if (reply) history.complete(operation, reply);
  }
  return checkKafkaHistory(history, expectations);
}

/** What is expected of several nodes. */
const SEVERAL_NODES: Expectations = { realtime: false, readToEnd: true };

/** All steps begin before any of them ends. */
function checkConcurrent(steps: readonly Step[]): Verdict {
  const history = new History();
  const operations = steps.map(([request]) => history.invoke("c", request));
  for (const [index, [, reply]] of steps.entries()) {
    if (reply) history.complete(operations[index]!, reply);
  }
  return checkKafkaHistory(history);
}

const kindsOf = ({ anomalies }: Verdict) => anomalies.map(({ kind }) => kind);

describe("checkKafkaHistory", () => {
  it.each<[string, Step[]]>([
    ["nothing", []],
    ["messages that are read as they were sent", [send(1, 0), send(2, 1), poll(0, [0, 1], [1, 2])]],
    ["offsets with holes", [send(1, 10), send(2, 20), poll(0, [10, 1], [20, 2])]],
    ["a poll that stops early", [send(1, 0), send(2, 1), poll(0, [0, 1])]],
    ["a poll of what was read before", [send(1, 0), poll(0, [0, 1]), poll(0, [0, 1])]],
    ["an unanswered send that happened", [send(1, undefined), poll(0, [0, 1])]],
    ["an unanswered send that did not", [send(1, undefined), send(2, 0), poll(0, [0, 2])]],
    ["a crashed send that happened", [refusedSend(1, 13), poll(0, [0, 1])]],
    ["a refused send that did not", [refusedSend(1, 11), poll(0)]],
    ["commits", [send(1, 0), commit(0), list(0)]],
    ["a commit that goes back and has no effect", [commit(5), commit(3), list(5)]],
    ["an unanswered commit that happened", [commit(3), commit(5, false), list(5), list(5)]],
    ["an unanswered commit that did not", [commit(3), commit(5, false), list(3)]],
    ["no commit at all", [list()]],
  ])("accepts %s", (_, steps) => {
    expect(check(steps).anomalies).toEqual([]);
  });

  it.each<[string, Step[]]>([
    ["sends", [send(1, 1), send(2, 0)]],
    ["a poll that misses a send", [send(1, 0), poll(0)]],
    ["a poll that sees a send before its answer", [poll(0, [0, 1]), send(1, 0)]],
    ["a list that misses a commit", [commit(5), list()]],
    ["a list that sees a commit before its answer", [list(5), commit(5)]],
  ])("accepts concurrent %s", (_, steps) => {
    expect(checkConcurrent(steps).anomalies).toEqual([]);
  });

  it.each<[AnomalyKind, string, Step[]]>([
    ["malformed-reply", "an answer of another type", [[send(1, 0)[0], poll(0)[1]]]],
    ["malformed-reply", "a send without an offset", [[send(1, 0)[0], { type: "send_ok" }]]],
    ["malformed-reply", "an offset that is none", [send(1, -1)]],
    ["malformed-reply", "no messages", [[poll(0)[0], { type: "poll_ok" }]]],
    [
      "malformed-reply",
      "messages without offsets",
      [[poll(0)[0], { type: "poll_ok", msgs: { k: [1] } }]],
    ],
    [
      "malformed-reply",
      "a key nobody polled",
      [[poll(0)[0], { type: "poll_ok", msgs: { other: [] } }]],
    ],
    [
      "malformed-reply",
      "a key nobody listed",
      [[list()[0], { type: "list_committed_offsets_ok", offsets: { other: 1 } }]],
    ],
    ["malformed-reply", "a list without offsets", [[list()[0], { type: `${list()[0].type}_ok` }]]],
    [
      "inconsistent-offsets",
      "two sends at one offset",
      [send(1, undefined), send(2, 0), poll(0, [0, 1]), poll(0, [0, 2])],
    ],
    ["duplicate", "one message twice", [send(1, 0), poll(0, [0, 1], [1, 1])]],
    ["phantom", "a message that nobody sent", [poll(0, [0, 1])]],
    ["phantom", "a message that is sent later", [poll(0, [0, 1]), send(1, 0)]],
    ["phantom", "a message whose send was refused", [refusedSend(1, 11), poll(0, [0, 1])]],
    ["phantom", "a message of another key", [send(1, 0, "other"), poll(0, [0, 1])]],
    ["nonmonotonic-send", "a lower offset", [send(1, 1), send(2, 0)]],
    [
      "int-nonmonotonic-poll",
      "offsets that fall",
      [send(1, 0), send(2, 1), poll(0, [1, 2], [0, 1])],
    ],
    ["nonmonotonic-poll", "an offset below what was asked for", [send(1, 0), poll(1, [0, 1])]],
    [
      "int-poll-skip",
      "a message inside of a poll",
      [send(1, 0), send(2, 1), send(3, 2), poll(1, [1, 2]), poll(0, [0, 1], [2, 3])],
    ],
    [
      "poll-skip",
      "the message asked for",
      [send(1, 0), send(2, 1), poll(0, [0, 1]), poll(0, [1, 2])],
    ],
    [
      "poll-skip",
      "a message that was never acknowledged but seen",
      [send(1, undefined), send(2, 1), poll(0, [0, 1]), poll(0, [1, 2])],
    ],
    ["stale-poll", "a message that somebody saw before", [send(1, 0), poll(0, [0, 1]), poll(0)]],
    ["stale-poll", "a message that nobody ever saw", [send(1, 0), poll(0)]],
    ["committed-backwards", "a lost commit", [commit(5), list()]],
    ["committed-backwards", "a commit undone by a lower one", [commit(5), commit(3), list(3)]],
    ["committed-backwards", "a listed offset that is gone", [commit(5, false), list(5), list(3)]],
    ["committed-made-up", "an offset that nobody committed", [commit(5), list(6)]],
  ])("finds %s: %s", (kind, _, steps) => {
    expect(new Set(kindsOf(check(steps)))).toEqual(new Set([kind]));
  });

  it("finds a message that polls came past and nobody saw", () => {
    const steps = [send(1, 0), send(2, 1), poll(0, [1, 2])];
    expect(kindsOf(check(steps))).toEqual(["poll-skip", "lost-write"]);
  });

  it.each<[string, Step[]]>([
    ["a poll that is out of date", [send(1, 0), other(poll(0)), poll(0, [0, 1])]],
    ["sends of two clients", [send(1, 1), other(send(2, 0)), poll(0, [0, 2], [1, 1])]],
    ["a list that is out of date", [commit(5), other(list()), other(list(5))]],
    ["a commit that nobody asks for afterwards", [commit(5)]],
    ["a lower commit of another client", [commit(5), other(commit(3)), list(5), other(list(5))]],
  ])("accepts of several nodes %s", (_, steps) => {
    expect(check(steps, SEVERAL_NODES).anomalies).toEqual([]);
  });

  it.each<[AnomalyKind[], string, Step[]]>([
    [["unseen"], "a message that nobody polled", [send(1, 0), poll(0)]],
    [
      ["poll-skip", "lost-write", "unseen"],
      "a message that polls came past",
      [send(1, 0), other(send(2, 1)), other(poll(0, [1, 2]))],
    ],
    [
      ["nonmonotonic-send"],
      "sends of one client",
      [send(1, 1), send(2, 0), poll(0, [0, 2], [1, 1])],
    ],
    [
      ["committed-backwards"],
      "a list of one client",
      [other(commit(5)), list(5), list(3), list(5)],
    ],
    [["committed-backwards"], "a client's own commit", [commit(5), list(3), list(5)]],
    [["lost-commit"], "a commit that no later list comes to", [commit(5), other(list(3))]],
    [["committed-made-up"], "an offset that nobody committed", [commit(5), list(6)]],
    [["phantom"], "a message that nobody sent", [poll(0, [0, 1])]],
  ])("finds of several nodes %j: %s", (kinds, _, steps) => {
    expect(kindsOf(check(steps, SEVERAL_NODES))).toEqual(kinds);
  });

  it("counts what is out of date", () => {
    const steps = [send(1, 0), other(poll(0)), commit(0), other(list()), list(0), poll(0, [0, 1])];
    expect(check(steps, SEVERAL_NODES)).toMatchObject({ stalePolls: 1, staleLists: 1 });
  });

  it("finds answers that are too large", () => {
    const steps = [send(1, 0), send(2, 1), poll(0, [0, 1], [1, 2])];
    expect(kindsOf(check(steps, { maxMessagesPerKey: 2 }))).toEqual([]);
    expect(kindsOf(check(steps, { maxMessagesPerKey: 1 }))).toEqual(["too-many"]);
  });

  it("says where", () => {
    expect(check([send("a", 0), send("b", 1), poll(0, [1, "b"])]).anomalies).toEqual([
      { kind: "poll-skip", key: "k", detail: '"a" at offset 0, in a poll from 0 to 1' },
      { kind: "lost-write", key: "k", detail: '"a" at offset 0, polls came to 1' },
    ]);
  });

  it("counts", () => {
    const steps = [
      send(1, 0),
      send(2, 1),
      send(3, undefined),
      refusedSend(4, 11),
      poll(0, [0, 1]),
      poll(0, [0, 1]),
    ];
    expect(check(steps)).toEqual({
      anomalies: [],
      acknowledged: 2,
      unseen: 1,
      polled: 2,
      stalePolls: 0,
      staleLists: 0,
      refused: 1,
      unanswered: 1,
    });
  });

  it("takes keys for data", () => {
    const offsets = JSON.parse(`{"__proto__":0}`);
    const msgs = JSON.parse(`{"__proto__":[[0,1]]}`);
    const steps: Step[] = [
      send(1, 0, "__proto__"),
      [
        { type: "poll", offsets },
        { type: "poll_ok", msgs },
      ],
    ];
    expect(check(steps)).toMatchObject({ anomalies: [], unseen: 0 });
  });

  it("needs messages that differ", () => {
    expect(() => check([send(1, 0), send(1, 1)])).toThrow("sent to key k twice");
  });
});
