import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Network } from "../../../src/maelstrom/runtime/handler.js";
import { MaelstromError } from "../../../src/maelstrom/runtime/maelstrom-error.js";
import { MaelstromNode } from "../../../src/maelstrom/runtime/maelstrom-node.js";
import { deferred } from "../../support/deferred.js";

/** More requests than may be in flight. */
const MANY = 2000;

const INIT = { type: "init", node_id: "n0", node_ids: ["n0"] };

/** A node in this process, between streams that the test has in its hands. */
class Setup {
  readonly input = new PassThrough();
  readonly output: Writable;
  readonly stop = new AbortController();
  readonly log: string[] = [];
  /** Requests of type `wait` that were begun; each ends when its function is called. */
  readonly waiting: (() => void)[] = [];
  network: Network | undefined;
  /** Requests of type `echo` that were handled. */
  echoes = 0;
  readonly ended: Promise<void>;
  #written = "";
  #messages = 0;

  /**
   * @param takeOutput - Called with what ends a write; without it, writes end at once.
   * @param prepare - What the node waits for before it is there.
   */
  constructor(
    takeOutput: (done: (error?: Error) => void) => void = (done) => done(),
    prepare: () => Promise<void> = async () => {},
  ) {
    this.output = new Writable({
      highWaterMark: 100,
      write: (chunk, _, done) => {
        this.#written += chunk;
        takeOutput(done);
      },
    });
    const wait = async () => {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
      return { type: "wait_ok" };
    };
    const echo = async () => {
      this.echoes++;
      return { type: "echo_ok" };
    };
    const fail = async () => {
      throw new TypeError("a fault\nof the program");
    };
    const node = new MaelstromNode({
      start: async (network) => {
        await prepare();
        this.network = network;
        return new Map([
          ["wait", { handle: wait }],
          ["wait for much", { answerBytes: 2 ** 20, handle: wait }],
          ["fail", { handle: fail }],
          ["echo", { handle: echo }],
        ]);
      },
      output: this.output,
      log: (line) => this.log.push(line),
    });
    this.ended = node.run(this.input, this.stop.signal);
  }

  ask(...bodies: readonly object[]): void {
    for (const body of bodies) {
      const message = { src: "c", dest: "n0", body: { ...body, msg_id: ++this.#messages } };
      this.input.write(`${JSON.stringify(message)}\n`);
    }
  }

  /** What the node has written so far. */
  get lines(): string[] {
    return this.#written.split("\n").slice(0, -1);
  }

  /** The types of the messages so far, or the codes of errors. */
  get answers(): unknown[] {
    return this.lines.map((line) => JSON.parse(line).body).map(({ type, code }) => code ?? type);
  }

  /** All that can happen without the test has happened. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("MaelstromNode", () => {
  it("answers as answers come, not in the order of the requests", async () => {
    const setup = new Setup();
    setup.ask(INIT, { type: "wait" }, { type: "wait" }, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "echo_ok"]);
    expect(setup.waiting).toHaveLength(2);
  });

  it("knows nothing before init", async () => {
    const setup = new Setup();
    setup.ask({ type: "echo" }, { type: "unknown" }, INIT, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual([11, 11, "init_ok", "echo_ok"]);
  });

  it.each([
    [{ type: "init", node_ids: ["n0"] }, 12],
    [{ type: "init", node_id: "", node_ids: [""] }, 12],
    [{ type: "init", node_id: 5, node_ids: [5] }, 12],
    [{ type: "init", node_id: "n0" }, 12],
    [{ type: "init", node_id: "n0", node_ids: "n0" }, 12],
    [{ type: "init", node_id: "n0", node_ids: ["n1"] }, 12],
    [{ type: "init", node_id: "n0", node_ids: ["n0", 5] }, 12],
    [{ type: "init", node_id: "n0", node_ids: ["n0", "n0"] }, 12],
  ])("refuses %j and waits for a better one", async (body, code) => {
    const setup = new Setup();
    setup.ask(body, { type: "echo" }, INIT);
    await setup.settle();
    expect(setup.answers).toEqual([code, 11, "init_ok"]);
  });

  it("takes init again if it says the same", async () => {
    const setup = new Setup();
    const other = { type: "init", node_id: "n1", node_ids: ["n1"] };
    setup.ask(INIT, INIT, other, { ...INIT, node_ids: ["n0", "n1"] });
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "init_ok", 12, 12]);
  });

  it("answers nothing until it has started", async () => {
    const { promise, resolve } = deferred();
    const setup = new Setup(undefined, () => promise);
    setup.ask(INIT, INIT, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual([]);
    resolve();
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "init_ok", "echo_ok"]);
  });

  it("waits for another init when it has refused one", async () => {
    const refusals = [new MaelstromError("notSupported", "not alone")];
    const setup = new Setup(undefined, async () => {
      const refusal = refusals.pop();
      if (refusal) throw refusal;
    });
    setup.ask(INIT, { type: "echo" }, INIT, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual([10, 11, "init_ok", "echo_ok"]);
  });

  it("says so and ends when it cannot be started", async () => {
    const setup = new Setup(undefined, async () => {
      throw new Error("no disk");
    });
    setup.ask({ type: "echo" }, INIT, { type: "echo" });
    await expect(setup.ended).rejects.toThrow("no disk");
    await setup.settle();
    expect(setup.answers).toEqual([11, 13]);
    expect(setup.input.destroyed).toBe(true);
  });

  it("survives a fault of a handler and logs it on one line", async () => {
    const setup = new Setup();
    setup.ask(INIT, { type: "fail" }, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", 13, "echo_ok"]);
    expect(setup.log).toHaveLength(1);
    expect(setup.log[0]).toMatch(/^fail failed: .*a fault\\nof the program/);
    expect(setup.log[0]).not.toContain("\n");
  });

  it("escapes what it logs", async () => {
    const setup = new Setup();
    setup.input.write("\u001b[2J\u202e\u009b ü\n");
    await setup.settle();
    expect(setup.log).toEqual([
      String.raw`ignored a line (not JSON): "\u001b[2J\u202e\u009b \u00fc"`,
    ]);
  });

  it.each([
    ["wait", 1024],
    ["wait for much", 63],
  ])("does not take more requests to %s than it can hold", async (type, held) => {
    const setup = new Setup();
    setup.ask(INIT, ...Array.from({ length: MANY }, () => ({ type })));
    await setup.settle();
    expect(setup.waiting).toHaveLength(held);
    setup.waiting.shift()?.();
    await setup.settle();
    expect(setup.waiting).toHaveLength(held);
    expect(setup.answers).toEqual(["init_ok", "wait_ok"]);
  });

  it("takes requests past others whose answers it cannot hold, and never the other way", async () => {
    const setup = new Setup();
    const much = Array.from({ length: 70 }, () => ({ type: "wait for much" }));
    setup.ask(INIT, ...much, { type: "echo" });
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "echo_ok"]);
    const few = new Setup();
    few.ask(INIT, ...Array.from({ length: 1024 }, () => ({ type: "wait" })), { type: "wait" });
    few.ask({ type: "wait for much" }, { type: "echo" });
    await few.settle();
    few.waiting.shift()?.();
    await few.settle();
    expect(few.waiting).toHaveLength(1024);
    expect(few.answers).toEqual(["init_ok", "wait_ok"]);
  });

  it("takes no requests while nobody takes the answers", async () => {
    const writes: (() => void)[] = [];
    const setup = new Setup((done) => writes.push(done));
    setup.ask(INIT, ...Array.from({ length: MANY }, () => ({ type: "echo" })));
    await setup.settle();
    expect(setup.echoes).toBeLessThan(10);
    while (writes.length > 0) {
      writes.shift()?.();
      await setup.settle();
    }
    expect(setup.answers).toHaveLength(MANY + 1);
  });

  it("ends when input ends and all is answered", async () => {
    const setup = new Setup();
    setup.ask(INIT, { type: "wait" });
    setup.input.end(`{"src":"c","dest":"n0","body":{"type":"echo","msg_id":99}}`);
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "echo_ok"]);
    setup.waiting.shift()?.();
    await setup.ended;
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "echo_ok", "wait_ok"]);
  });

  it("answers what it has taken when it is told to stop, and takes no more", async () => {
    const setup = new Setup();
    setup.ask(INIT, { type: "wait" });
    await setup.settle();
    setup.stop.abort();
    setup.ask({ type: "echo" });
    await setup.settle();
    setup.waiting.shift()?.();
    await setup.ended;
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", "wait_ok"]);
    expect(setup.input.destroyed).toBe(true);
  });

  it("ends when nobody reads its output any more", async () => {
    const setup = new Setup((done) => done(new Error("EPIPE")));
    setup.ask(INIT, { type: "wait" });
    await setup.settle();
    setup.waiting.shift()?.();
    await setup.ended;
    expect(setup.input.destroyed).toBe(true);
  });

  it("fails when input fails", async () => {
    const setup = new Setup();
    setup.input.destroy(new Error("EIO"));
    await expect(setup.ended).rejects.toThrow("EIO");
  });
});

const PAIR = { type: "init", node_id: "n0", node_ids: ["n0", "n1"] };

/** A node of two that has asked the other one for something. */
async function ask(timeoutMs = 1e9) {
  const setup = new Setup();
  setup.ask(PAIR);
  await setup.settle();
  const answer = setup.network!.request("n1", { type: "add", delta: 1 }, timeoutMs);
  await setup.settle();
  return { setup, answer };
}

const answerLine = (src: string, inReplyTo: number, body: string) =>
  `{"src":"${src}","dest":"n0","body":{${body},"in_reply_to":${inReplyTo}}}\n`;

describe("MaelstromNode, asking others", () => {
  it("knows the network", async () => {
    const { setup } = await ask();
    expect(setup.network).toMatchObject({ nodeId: "n0", nodeIds: ["n0", "n1"] });
  });

  it("sends a request and hands over its answer", async () => {
    const { setup, answer } = await ask();
    expect(setup.lines.at(-1)).toBe(
      `{"src":"n0","dest":"n1","body":{"type":"add","delta":1,"msg_id":1}}`,
    );
    setup.input.write(answerLine("n1", 1, `"type":"add_ok","value":1.0,"msg_id":9`));
    const reply = await answer;
    expect(reply).toMatchObject({ src: "n1", type: "add_ok", body: { value: 1 } });
    expect(reply.bodyText("value")).toBe("1.0");
    expect(setup.log).toEqual([]);
  });

  it.each([
    [`"code":20,"text":"no such key"`, { code: 20, isDefinite: true, message: "no such key" }],
    [`"code":13,"text":"who knows"`, { code: 13, isDefinite: false }],
    [`"code":1000`, { code: 1000, isDefinite: false }],
    [`"code":"20"`, { code: 13, isDefinite: false }],
  ])("tells of the error {%s}", async (error, expected) => {
    const { setup, answer } = await ask();
    setup.input.write(answerLine("n1", 1, `"type":"error",${error}`));
    await expect(answer).rejects.toMatchObject(expected);
  });

  it("does not wait for ever, and ignores what comes too late", async () => {
    const { setup, answer } = await ask(1);
    await expect(answer).rejects.toMatchObject({ code: 0, isDefinite: false });
    setup.input.write(answerLine("n1", 1, `"type":"add_ok"`));
    await setup.settle();
    expect(setup.log).toEqual([]);
    expect(setup.answers).toHaveLength(2);
  });

  it("takes an answer only from whom it has asked", async () => {
    const { setup, answer } = await ask();
    setup.input.write(answerLine("n2", 1, `"type":"add_ok","value":"forged"`));
    setup.input.write(answerLine("n1", 2, `"type":"add_ok","value":"never asked"`));
    setup.input.write(answerLine("n1", 1, `"type":"add_ok","value":"true"`));
    expect((await answer).body.value).toBe("true");
    expect(setup.log).toHaveLength(2);
    for (const line of setup.log) expect(line).toContain("nothing that this node asked");
  });

  it("hears no answers once input has ended", async () => {
    const { setup, answer } = await ask();
    setup.input.end();
    await expect(answer).rejects.toMatchObject({ code: 0 });
    const late = setup.network!.request("n1", { type: "add" }, 1e9);
    await expect(late).rejects.toMatchObject({ code: 0 });
    await setup.ended;
  });

  it("serves other nodes, and hears them, while its clients wait", async () => {
    const { setup, answer } = await ask();
    setup.ask(...Array.from({ length: MANY }, () => ({ type: "wait" })));
    setup.input.write(`{"src":"n1","dest":"n0","body":{"type":"echo","msg_id":1}}\n`);
    setup.input.write(answerLine("n1", 1, `"type":"add_ok"`));
    await answer;
    await setup.settle();
    expect(setup.answers).toContain("echo_ok");
  });

  it("refuses what it cannot keep, and nothing that came before", async () => {
    const setup = new Setup();
    const padding = "x".repeat(4_000_000);
    setup.ask(PAIR, ...Array.from({ length: 28 }, () => ({ type: "wait", padding })));
    await setup.settle();
    expect(setup.answers).toEqual(["init_ok", 11, 11, 11, 11]);
    while (setup.waiting.length > 0) {
      setup.waiting.shift()?.();
      await setup.settle();
    }
    expect(setup.answers.filter((answer) => answer === "wait_ok")).toHaveLength(24);
  });
});
