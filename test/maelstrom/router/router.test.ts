import { describe, expect, it, onTestFinished, vi } from "vitest";
import { toMaelstromError } from "../../../src/maelstrom/failure.js";
import { answeredInTime } from "../../../src/maelstrom/router/in-time.js";
import { Owners } from "../../../src/maelstrom/router/owner.js";
import { Router } from "../../../src/maelstrom/router/router.js";
import type { Handler } from "../../../src/maelstrom/runtime/handler.js";
import { encodeMembers, JsonText } from "../../../src/maelstrom/runtime/json.js";
import { type ErrorKind, MaelstromError } from "../../../src/maelstrom/runtime/maelstrom-error.js";
import { type Body, parseLine } from "../../../src/maelstrom/runtime/protocol.js";
import { toReply } from "../kv/memory-services.js";

const NODES = ["n0", "n1", "n2"];

/** Two keys of each node, by its name. */
const KEYS = new Map(
  NODES.map((node) => {
    const owners = new Owners(NODES);
    const all = Array.from({ length: 100 }, (_, index) => `${index}`);
    return [node, all.filter((key) => owners.of(key) === node).slice(0, 2)] as const;
  }),
);
const keyOf = (node: string, index = 0) => KEYS.get(node)?.[index] ?? "";
const [a, b, c] = [keyOf("n0"), keyOf("n1"), keyOf("n2")];
const [a2, b2] = [keyOf("n0", 1), keyOf("n1", 1)];

/** How the parts of a request were served, and by whom. */
interface Served {
  readonly by: string;
  readonly body: string;
}

/** A router of node `n0`; all nodes answer alike, but for those that fail. */
class Setup {
  readonly served: Served[] = [];
  readonly failing = new Map<string, ErrorKind>();
  /** How long other nodes take for a poll, and for one of nothing. */
  readonly delaysMs = new Map<"poll" | "probe", number>();
  /** Whether all keys are empty. */
  empty = false;
  /** Whether other nodes answer with something that is no answer. */
  answersOddly = false;
  /** How often this node was told that its keys were served elsewhere. */
  replacements = 0;
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor({ mayServeAll = false } = {}) {
    const answer = async (by: string, body: Body, text: string): Promise<Body> => {
      this.served.push({ by, body: text });
      const kind = this.failing.get(by);
      if (kind !== undefined) throw new MaelstromError(kind, `${by}: ${kind}`);
      return answerOf(by, body, this.empty);
    };
    const request = async (dest: string, body: Body, timeoutMs: number) => {
      const text = encodeMembers(Object.entries(body));
      const kind = text.includes(`"keys":[]`) ? "probe" : "poll";
      const delayMs = this.delaysMs.get(kind) ?? 0;
      const told = await answer(dest, JSON.parse(text), text);
      if (delayMs > 0) await sleep(Math.min(delayMs, timeoutMs));
      if (delayMs > timeoutMs) throw new MaelstromError("timeout", dest);
      return toReply(dest, this.answersOddly ? { type: "odd" } : told);
    };
    const handle: Handler["handle"] = (asked) => {
      const members = Object.keys(asked.body).filter((name) => name !== "msg_id");
      const texts = members.map(
        (name) => [name, new JsonText(asked.bodyText(name) ?? "")] as const,
      );
      return answer("n0", asked.body as Body, encodeMembers(texts));
    };
    const types = ["send", "poll", "commit_offsets", "list_committed_offsets"];
    const router = new Router(
      { nodeId: "n0", nodeIds: NODES, request },
      new Map(types.map((type) => [type, { handle }])),
      { mayServeAll, onReplaced: () => this.replacements++, toError: toMaelstromError },
    );
    this.#handlers = answeredInTime(router.handlers, toMaelstromError);
  }

  /** The answer, as text, or the code of the error. */
  async ask(body: string, src = "c1"): Promise<string | number> {
    const parsed = parseLine(`{"src":"${src}","dest":"n0","body":{${body},"msg_id":1}}`);
    if (parsed.kind !== "request") throw new Error(parsed.kind);
    const handler = this.#handlers.get(parsed.request.type);
    try {
      return encodeMembers(Object.entries((await handler?.handle(parsed.request)) ?? {}));
    } catch (error) {
      return (error as MaelstromError).code;
    }
  }

  /** Which nodes were asked, one after the other. */
  get asked(): string[] {
    return this.served.splice(0).map(({ by }) => by);
  }
}

function answerOf(by: string, { type, offsets, keys }: Body, isEmpty: boolean): Body {
  const all = [...((keys as string[]) ?? Object.keys(offsets ?? {}))];
  if (type === "send") return { type: "send_ok", offset: 7 };
  if (type === "commit_offsets") return { type: "commit_offsets_ok" };
  if (type === "list_committed_offsets") {
    return { type: "list_committed_offsets_ok", offsets: new Map(all.map((key) => [key, 3])) };
  }
  const pairs = new JsonText(isEmpty ? "[]" : `[[0,1.0],[1, {"by" : "${by}"}]]`);
  return { type: "poll_ok", msgs: new Map(all.map((key) => [key, pairs])) };
}

/** The member that says so. */
const REPLACED = "served_in_your_place";

/** Time goes on when the test says so, until it has finished. */
function useFakeTimers(): void {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const poll = (...keys: string[]) =>
  `"type":"poll","offsets":{${keys.map((key) => `"${key}":5`).join()}}`;
const commit = (...keys: string[]) => poll(...keys).replace("poll", "commit_offsets");
const list = (...keys: string[]) =>
  `"type":"list_committed_offsets","keys":${JSON.stringify(keys)}`;
const send = (key: string) => `"type":"send","key":"${key}","msg":1.50`;

describe("Owners", () => {
  it("do not depend on the order of the nodes", () => {
    const keys = Array.from({ length: 100 }, (_, index) => `${index}`);
    const owners = keys.map((key) => new Owners(["n0", "n1", "n2"]).of(key));
    expect(keys.map((key) => new Owners(["n2", "n0", "n1"]).of(key))).toEqual(owners);
  });

  it("are the same in every version of the program", () => {
    const owners = new Owners(["n0", "n1", "n2"]);
    expect(["1", "2", "3", "ключ", ""].map((key) => owners.of(key))).toMatchInlineSnapshot(`
      [
        "n0",
        "n1",
        "n2",
        "n2",
        "n2",
      ]
    `);
  });

  it("have about as many keys each", () => {
    const owners = new Owners(["n0", "n1", "n2", "n3", "n4"]);
    const groups = owners.group(Array.from({ length: 1000 }, (_, index) => `${index}`));
    for (const keys of groups.values()) expect(keys.length).toBeGreaterThan(150);
    expect(groups.size).toBe(5);
  });
});

describe("Router", () => {
  it("serves its own keys here", async () => {
    const setup = new Setup();
    expect(await setup.ask(send(a))).toBe(`{"type":"send_ok","offset":7}`);
    await setup.ask(poll(a, a2));
    expect(setup.asked).toEqual(["n0", "n0"]);
  });

  it("passes a send on to its owner, the message as it was written", async () => {
    const setup = new Setup();
    expect(await setup.ask(send(b))).toBe(`{"type":"send_ok","offset":7}`);
    expect(setup.served).toEqual([{ by: "n1", body: `{"type":"send","key":"${b}","msg":1.50}` }]);
  });

  it("asks all owners of a request's keys, and joins what they answer as it was written", async () => {
    const setup = new Setup();
    const answer = await setup.ask(poll(a, b, c, b2));
    const parts = setup.served.map(({ by, body }) => [by, JSON.parse(body).offsets] as const);
    expect(new Map(parts)).toEqual(
      new Map([
        ["n0", { [a]: 5 }],
        ["n1", { [b]: 5, [b2]: 5 }],
        ["n2", { [c]: 5 }],
      ]),
    );
    expect(parts).toHaveLength(3);
    const owners = new Map([
      [a, "n0"],
      [b, "n1"],
      [b2, "n1"],
      [c, "n2"],
    ]);
    for (const [key, by] of owners) {
      expect(answer).toContain(`"${key}":[[0,1.0],[1, {"by" : "${by}"}]]`);
    }
    expect(Object.keys(JSON.parse(answer as string).msgs)).toHaveLength(4);
    expect(JSON.parse((await setup.ask(list(a, b, c))) as string).offsets).toEqual({
      [a]: 3,
      [b]: 3,
      [c]: 3,
    });
    expect(await setup.ask(commit(a, b, c))).toBe(`{"type":"commit_offsets_ok"}`);
  });

  it("serves here whatever another node passes on", async () => {
    const setup = new Setup();
    await setup.ask(send(b), "n1");
    await setup.ask(poll(a, b, c), "n2");
    expect(setup.asked).toEqual(["n0", "n0"]);
  });

  it.each([
    `"type":"poll"`,
    `"type":"send","key":5,"msg":1`,
    `"type":"commit_offsets","offsets":{"${a}":1,"${b}":2,"${c}":-1}`,
    `"type":"list_committed_offsets","keys":["${b}",5]`,
  ])("refuses {%s} before anybody does a part of it", async (body) => {
    const setup = new Setup();
    expect(await setup.ask(body)).toBe(12);
    expect(setup.asked).toEqual([]);
  });

  it("answers a poll of nothing", async () => {
    const setup = new Setup();
    expect(await setup.ask(`"type":"poll","offsets":{}`)).toBe(`{"type":"poll_ok","msgs":{}}`);
    expect(setup.asked).toEqual(["n0"]);
  });
});

describe("Router, of an owner that cannot be reached", () => {
  it("says that a send may have happened", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "timeout");
    expect(await setup.ask(send(b))).toBe(0);
  });

  it("says what the owner said", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "temporarilyUnavailable");
    expect(await setup.ask(send(b))).toBe(11);
    setup.failing.set("n1", "crash");
    expect(await setup.ask(send(b))).toBe(13);
  });

  it("does not take another answer for one", async () => {
    const setup = new Setup();
    setup.answersOddly = true;
    expect(await setup.ask(send(b))).toBe(13);
    expect(await setup.ask(poll(b, c))).toBe(13);
  });

  it("answers a poll without its keys, if there are others", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "timeout");
    const { msgs } = JSON.parse((await setup.ask(poll(a, b, c))) as string);
    expect(Object.keys(msgs).sort()).toEqual([a, c].sort());
  });

  it("does not wait for it in the next polls, if there are others to wait for", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "timeout");
    await setup.ask(poll(a, b));
    expect(setup.asked.sort()).toEqual(["n0", "n1"]);
    await setup.ask(poll(a, b, c));
    expect(setup.asked.sort()).toEqual(["n0", "n2"]);
    await setup.ask(poll(b));
    await setup.ask(send(b));
    await setup.ask(list(a, b));
    expect(setup.asked.filter((node) => node === "n1")).toHaveLength(3);
  });

  it("says of a poll that it has changed nothing", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "timeout");
    expect(await setup.ask(poll(b))).toBe(11);
  });

  it("does not leave out the keys of an owner that refuses a poll", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "malformedRequest");
    expect(await setup.ask(poll(a, b))).toBe(12);
  });

  it("does not answer a list without its keys, which would say that they have none", async () => {
    const setup = new Setup();
    setup.failing.set("n1", "timeout");
    expect(await setup.ask(list(a, b))).toBe(11);
  });

  it.each<[string, Record<string, ErrorKind>, number]>([
    ["unknown for some", { n1: "timeout" }, 0],
    ["unknown for some and refused for others", { n1: "malformedRequest", n2: "timeout" }, 0],
    ["refused for some", { n1: "malformedRequest" }, 13],
    ["refused for all", { n0: "abort", n1: "abort", n2: "abort" }, 14],
  ])("tells truly of a commit that is %s", async (_, failing, code) => {
    const setup = new Setup();
    for (const [node, kind] of Object.entries(failing)) setup.failing.set(node, kind);
    expect(await setup.ask(commit(a, b, c))).toBe(code);
  });
});

describe("Router, where every node may serve every key", () => {
  it("serves here what the owner does not answer, if it may be done twice", async () => {
    const setup = new Setup({ mayServeAll: true });
    setup.failing.set("n1", "timeout");
    expect(await setup.ask(commit(b))).toBe(`{"type":"commit_offsets_ok"}`);
    expect(setup.asked).toEqual(["n1", "n0"]);
  });

  it("does not do a send twice, but the next one here", async () => {
    const setup = new Setup({ mayServeAll: true });
    setup.failing.set("n1", "timeout");
    expect(await setup.ask(send(b))).toBe(0);
    expect(await setup.ask(send(b))).toContain("send_ok");
    expect(setup.asked).toEqual(["n1", "n0"]);
  });

  it("finds out when the owner is back, by questions of its own", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.failing.set("n1", "timeout");
    await setup.ask(poll(b));
    expect(setup.asked).toEqual(["n1", "n0"]);
    await setup.ask(send(b));
    expect(setup.asked).toEqual(["n0"]);
    await vi.advanceTimersByTimeAsync(2500);
    const probes = setup.served.map(({ by, body }) => [by, JSON.parse(body).keys]);
    expect(probes).toEqual([
      ["n1", []],
      ["n1", []],
    ]);
    setup.failing.clear();
    await vi.advanceTimersByTimeAsync(5000);
    await setup.ask(send(b));
    expect(setup.asked).toEqual(["n1", "n1", "n1", "n1"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for an owner that is busy, and does not do the same work", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.delaysMs.set("poll", 2500);
    const polled = setup.ask(poll(b));
    await vi.advanceTimersByTimeAsync(1000);
    expect(setup.served.map(({ body }) => JSON.parse(body).keys)).toEqual([undefined, []]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(await polled).toContain(`"${b}":[[0,1.0]`);
    expect(setup.asked).toEqual(["n1", "n1"]);
  });

  it("gives up an owner that does not even say that it is there", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.delaysMs.set("poll", 9999).set("probe", 9999);
    const polled = setup.ask(poll(b));
    await vi.advanceTimersByTimeAsync(2000);
    expect(await Promise.race([polled, "it waits"])).toContain(`"by" : "n0"`);
    expect(setup.asked).toEqual(["n1", "n1", "n0"]);
  });

  it("waits for an owner that refuses to say that it is there", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.delaysMs.set("poll", 2500);
    const committed = setup.ask(commit(b));
    await vi.advanceTimersByTimeAsync(500);
    setup.failing.set("n1", "temporarilyUnavailable");
    await vi.advanceTimersByTimeAsync(2000);
    expect(await committed).toBe(`{"type":"commit_offsets_ok"}`);
  });

  it("waits for an owner that has answered something else meanwhile", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.delaysMs.set("poll", 2500).set("probe", 9999);
    const committed = setup.ask(commit(b));
    await vi.advanceTimersByTimeAsync(1500);
    setup.delaysMs.set("poll", 0);
    await setup.ask(send(b));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await committed).toBe(`{"type":"commit_offsets_ok"}`);
    expect(setup.asked).not.toContain("n0");
  });

  it("does not say for certain that a commit was refused which an owner may have got", async () => {
    const setup = new Setup({ mayServeAll: true });
    setup.failing.set("n1", "timeout").set("n0", "keyDoesNotExist");
    expect(await setup.ask(commit(b))).toBe(0);
    expect(await setup.ask(list(b))).toBe(20);
  });

  it("does not do the work of an owner that is there and fails to answer", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    setup.delaysMs.set("poll", 9999);
    const polled = setup.ask(poll(b));
    await vi.advanceTimersByTimeAsync(3500);
    expect(await Promise.race([polled, "it waits"])).toBe(11);
    expect(setup.asked).toEqual(["n1", "n1"]);
    setup.delaysMs.clear();
    expect(await setup.ask(poll(b))).toContain(`"by" : "n1"`);
  });

  it("tells the owner that its keys were served here", async () => {
    useFakeTimers();
    const setup = new Setup({ mayServeAll: true });
    const told = () => setup.served.splice(0).map(({ body }) => JSON.parse(body)[REPLACED]);
    await setup.ask(send(b));
    setup.failing.set("n1", "timeout");
    await setup.ask(commit(b));
    expect(told()).toEqual([undefined, undefined, undefined]);
    setup.failing.clear();
    await vi.advanceTimersByTimeAsync(1100);
    await setup.ask(commit(b));
    expect(told()).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(8000);
    await setup.ask(commit(b));
    expect(told()).toEqual([undefined]);
  });

  it("hears that its keys were served elsewhere", async () => {
    const setup = new Setup({ mayServeAll: true });
    await setup.ask(poll(a), "n1");
    expect(setup.replacements).toBe(0);
    await setup.ask(`${poll(a)},"served_in_your_place":true`, "n1");
    expect(setup.replacements).toBe(1);
    await setup.ask(`${poll(a)},"served_in_your_place":true`, "c1");
    expect(setup.replacements).toBe(1);
  });

  it("does not ask for a key again in which there was nothing a moment ago", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const setup = new Setup({ mayServeAll: true });
    setup.empty = true;
    await setup.ask(poll(b, c));
    expect(setup.asked.sort()).toEqual(["n1", "n2"]);
    expect(await setup.ask(poll(a, b, c))).toBe(`{"type":"poll_ok","msgs":{"${a}":[]}}`);
    expect(await setup.ask(poll(b))).toBe(`{"type":"poll_ok","msgs":{}}`);
    expect(setup.asked).toEqual(["n0"]);
    // From another offset on, there may be something; and what was sent from here is there.
    await setup.ask(poll(b).replace(":5", ":4"));
    await setup.ask(send(c));
    vi.advanceTimersByTime(1);
    await setup.ask(poll(c));
    expect(setup.asked).toEqual(["n1", "n2", "n2"]);
    await setup.ask(poll(c));
    expect(setup.asked).toEqual([]);
    vi.advanceTimersByTime(60);
    await setup.ask(poll(c));
    expect(setup.asked).toEqual(["n2"]);
  });

  it("passes on an error of the owner", async () => {
    const setup = new Setup({ mayServeAll: true });
    setup.failing.set("n1", "crash");
    expect(await setup.ask(poll(b))).toBe(13);
    expect(setup.asked).toEqual(["n1"]);
  });
});
