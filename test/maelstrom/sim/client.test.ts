import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Body, History } from "../history.js";
import { Random } from "../random.js";
import { Client, type ClientSurroundings, RequestError } from "./client.js";
import { Nemesis } from "./nemesis.js";
import { Network } from "./network.js";
import { Tally } from "./tally.js";
import { Workload } from "./workload.js";

/** A client of a node that answers what the test says, or nothing. */
class Conversation {
  readonly asked: Body[] = [];
  answer: (request: Body) => Body | undefined = () => undefined;
  readonly surroundings: ClientSurroundings;
  readonly client: Client;

  constructor(listsAfterCommit = false) {
    const random = new Random(1);
    const network = new Network({ random, latencyMs: 0, latencyDistribution: "constant" });
    this.surroundings = {
      network,
      nemesis: new Nemesis({ network, nodes: ["n0"], random, intervalMs: 1 }),
      history: new History(),
      tally: new Tally(),
      workload: new Workload(random, 16),
      random,
      timeoutMs: 5_000,
      listsAfterCommit,
    };
    network.join("n0", ({ src, body: { msg_id: messageId, ...body } }) => {
      this.asked.push(body as Body);
      const reply = this.answer(body as Body);
      if (reply) this.reply(src, { ...reply, in_reply_to: messageId });
    });
    this.client = new Client("c1", "n0", this.surroundings);
  }

  reply(dest: string, body: Body): void {
    this.surroundings.network.send({ src: "n0", dest, body });
  }

  /** What became of requests of a type: ok, failed, unknown. */
  outcomes(type: string): (number | undefined)[] {
    const outcomes = this.surroundings.tally.byType.get(type);
    return [outcomes?.ok, outcomes?.failed, outcomes?.unknown];
  }
}

const ANSWERS: Readonly<Record<string, Body>> = {
  send: { type: "send_ok", offset: 3 },
  poll: {
    type: "poll_ok",
    msgs: {
      a: [
        [0, "x"],
        [2, "y"],
      ],
      b: [],
    },
  },
  commit_offsets: { type: "commit_offsets_ok" },
  list_committed_offsets: { type: "list_committed_offsets_ok", offsets: { a: 2 } },
};

describe("Client", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("commits what it has polled, and reads on from there", async () => {
    const conversation = new Conversation();
    conversation.answer = ({ type }) => ANSWERS[type];
    conversation.client.assignFromStart(["a", "b"]);
    expect(await conversation.client.poll()).toEqual(new Map([["a", 2]]));
    await conversation.client.poll();
    expect(conversation.asked.slice(0, 3)).toEqual([
      { type: "poll", offsets: { a: 0, b: 0 } },
      { type: "commit_offsets", offsets: { a: 2 } },
      { type: "poll", offsets: { a: 3, b: 0 } },
    ]);
    expect(Object.fromEntries(conversation.surroundings.workload.committedOffsets)).toEqual({
      a: 2,
    });
  });

  it("commits nothing where nothing came", async () => {
    const conversation = new Conversation();
    conversation.answer = () => ({ type: "poll_ok", msgs: {} });
    await conversation.client.poll();
    expect(conversation.asked).toHaveLength(1);
  });

  it("lists what it has committed, if it is to", async () => {
    const conversation = new Conversation(true);
    conversation.answer = ({ type }) => ANSWERS[type];
    conversation.client.assignFromStart(["a", "b"]);
    await conversation.client.poll();
    expect(conversation.asked.at(-1)).toEqual({ type: "list_committed_offsets", keys: ["a"] });
  });

  it("reads on in keys that it had, and begins others at 0 or at the committed offset", async () => {
    const begun = new Set<number>();
    for (let attempt = 0; attempt < 20; attempt++) {
      const conversation = new Conversation();
      for (let draw = 0; draw < attempt; draw++) conversation.surroundings.random.next();
      conversation.answer = ({ type }) =>
        type === "poll" ? { type: "poll_ok", msgs: { a: [[2, "y"]] } } : ANSWERS[type];
      await conversation.client.assign(["a"]);
      await conversation.client.poll();
      begun.add((conversation.asked[1]!.offsets as { a: number }).a);
      await conversation.client.assign(["a", "b"]);
      await conversation.client.poll();
      expect(conversation.asked.at(-2)).toEqual({ type: "poll", offsets: { a: 3, b: 0 } });
    }
    expect(begun).toEqual(new Set([0, 2]));
  });

  it.each<[string, Body | undefined, (number | undefined)[]]>([
    ["a definite error", { type: "error", code: 11, text: "" }, [0, 1, 0]],
    ["an indefinite error", { type: "error", code: 13, text: "" }, [0, 0, 1]],
    ["an answer of another type", { type: "poll_ok", msgs: {} }, [0, 0, 1]],
    ["an answer that lacks something", { type: "send_ok" }, [0, 0, 1]],
    ["no answer", undefined, [0, 0, 1]],
  ])("fails after %s", async (_, reply, outcomes) => {
    const conversation = new Conversation();
    conversation.answer = () => reply;
    const send = conversation.client.send("a", 1);
    const failure = expect(send).rejects.toThrow(RequestError);
    await vi.advanceTimersByTimeAsync(5_000);
    await failure;
    expect(conversation.outcomes("send")).toEqual(outcomes);
  });

  it("takes no late answer for one to a later request", async () => {
    const conversation = new Conversation();
    const first = expect(conversation.client.send("a", 1)).rejects.toThrow(RequestError);
    await vi.advanceTimersByTimeAsync(5_000);
    await first;
    const second = conversation.client.send("a", 2);
    conversation.reply("c1", { type: "send_ok", offset: 1, in_reply_to: 1 });
    conversation.reply("c1", { type: "send_ok", offset: 2, in_reply_to: 2 });
    await second;
    expect(conversation.surroundings.workload.highestOffsets.get("a")).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });
});
