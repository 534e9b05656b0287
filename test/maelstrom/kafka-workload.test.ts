import { describe, expect, it } from "vitest";
import type { LogRecord, OffsetsByKey, ReadOptions } from "../../src/index.js";
import {
  type CommittedOffsets,
  KafkaWorkload,
  type MessageLogs,
} from "../../src/maelstrom/kafka-workload.js";
import { encodeJson, type Json } from "../../src/maelstrom/runtime/json.js";
import { parseLine } from "../../src/maelstrom/runtime/protocol.js";

/** Something that ends when the test says so. */
interface Held {
  readonly what: string;
  finish(): void;
  fail(): void;
}

/**
 * Logs in memory, one of which takes its appends and commits only when the test lets it: what the
 * order of a real store's answers depends on is not in a test's hands.
 */
class HeldLogs implements MessageLogs, CommittedOffsets {
  readonly held: Held[] = [];
  readonly reads: string[] = [];
  readonly #logs = new Map<string, Uint8Array[]>();
  readonly #committed = new Map<string, number>();

  put(key: string, value: string | Uint8Array): number {
    const values = this.#logs.get(key) ?? [];
    this.#logs.set(key, values);
    return values.push(Buffer.from(value)) - 1;
  }

  async append(key: string, value: string): Promise<number> {
    await this.#hold(`append ${key} ${value}`);
    return this.put(key, value);
  }

  async read(key: string, from: number, { maxRecords, maxBytes }: ReadOptions = {}) {
    this.reads.push(key);
    const values = this.#logs.get(key) ?? [];
    const records: LogRecord[] = [];
    let bytes = 0;
    for (const [index, value] of values.slice(from).entries()) {
      bytes += value.length;
      if (records.length === maxRecords || (records.length > 0 && bytes > maxBytes!)) break;
      records.push({ offset: from + index, timestamp: 0, value });
    }
    return { records, nextOffset: from + records.length, endOffset: values.length };
  }

  async commit(offsets: OffsetsByKey): Promise<void> {
    const next = [...(offsets as ReadonlyMap<string, number>)];
    await this.#hold(`commit ${JSON.stringify(next)}`);
    for (const [key, offset] of next) this.#committed.set(key, offset);
  }

  async committed(): Promise<Map<string, number>> {
    return this.#committed;
  }

  #hold(what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.held.push({ what, finish: resolve, fail: () => reject(new Error("no space")) });
    });
  }
}

/** A workload whose answers are gathered, as text, in the order in which they come. */
class Conversation {
  readonly logs = new HeldLogs();
  readonly answers: string[] = [];
  readonly #workload = new KafkaWorkload(this.logs, this.logs);

  ask(body: object): void {
    const { type } = body as { type: string };
    const parsed = parseLine(JSON.stringify({ src: "c", dest: "n", body: { ...body, msg_id: 1 } }));
    if (parsed.kind !== "request") throw new Error(parsed.kind);
    this.#workload.handlers
      .get(type)
      ?.handle(parsed.request)
      .then(
        (reply) => this.answers.push(encodeJson(new Map<string, Json>(Object.entries(reply)))),
        (error: Error) => this.answers.push(error.message),
      );
  }

  /** Everything that can go on without the test has done so. */
  async settle(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.answers.splice(0);
  }

  get held(): string[] {
    return this.logs.held.map(({ what }) => what);
  }

  finish(): void {
    this.logs.held.shift()?.finish();
  }

  fail(): void {
    this.logs.held.shift()?.fail();
  }
}

const send = (key: string, msg: unknown) => ({ type: "send", key, msg });
const poll = (offsets: object) => ({ type: "poll", offsets });
const commit = (offsets: object) => ({ type: "commit_offsets", offsets });
const list = (...keys: string[]) => ({ type: "list_committed_offsets", keys });

describe("KafkaWorkload", () => {
  it("hands sends to the store at once, in the order in which they came", async () => {
    const conversation = new Conversation();
    for (const message of [1, 2, 3]) conversation.ask(send("a", message));
    expect(conversation.held).toEqual(["append a 1", "append a 2", "append a 3"]);
    expect(await conversation.settle()).toEqual([]);
    conversation.finish();
    expect(await conversation.settle()).toEqual([`{"type":"send_ok","offset":0}`]);
  });

  it("lets a poll wait for the sends to its keys that came before it, and for no others", async () => {
    const conversation = new Conversation();
    conversation.ask(send("a", 1));
    conversation.ask(send("b", 2));
    conversation.ask(poll({ a: 0 }));
    conversation.ask(send("a", 3));
    conversation.ask(poll({ c: 0 }));
    expect(await conversation.settle()).toEqual([`{"type":"poll_ok","msgs":{"c":[]}}`]);
    conversation.finish();
    expect(await conversation.settle()).toEqual([
      `{"type":"send_ok","offset":0}`,
      `{"type":"poll_ok","msgs":{"a":[[0,1]]}}`,
    ]);
  });

  it("lets a poll go on when a send before it fails", async () => {
    const conversation = new Conversation();
    conversation.ask(send("a", 1));
    conversation.ask(poll({ a: 0 }));
    conversation.fail();
    expect(await conversation.settle()).toEqual(["no space", `{"type":"poll_ok","msgs":{"a":[]}}`]);
  });

  it("lets a commit wait for sends, and a list for commits", async () => {
    const conversation = new Conversation();
    conversation.ask(send("a", 1));
    conversation.ask(commit({ a: 0 }));
    conversation.ask(list("a"));
    conversation.ask(list("b"));
    expect(await conversation.settle()).toEqual([
      `{"type":"list_committed_offsets_ok","offsets":{}}`,
    ]);
    expect(conversation.held).toEqual(["append a 1"]);
    conversation.finish();
    expect(await conversation.settle()).toEqual([`{"type":"send_ok","offset":0}`]);
    expect(conversation.held).toEqual([`commit [["a",1]]`]);
    conversation.finish();
    expect(await conversation.settle()).toEqual([
      `{"type":"commit_offsets_ok"}`,
      `{"type":"list_committed_offsets_ok","offsets":{"a":0}}`,
    ]);
  });

  it("lists no offset where the next one to read is the first", async () => {
    const conversation = new Conversation();
    await Promise.all([
      conversation.logs.commit(new Map([["a", 0]])),
      Promise.resolve().then(() => conversation.finish()),
    ]);
    conversation.ask(list("a"));
    expect(await conversation.settle()).toEqual([
      `{"type":"list_committed_offsets_ok","offsets":{}}`,
    ]);
  });

  it("bounds the messages of a key in one answer", async () => {
    const conversation = new Conversation();
    for (let message = 0; message < 25; message++) conversation.logs.put("a", `${message}`);
    conversation.ask(poll({ a: 1 }));
    const pairs = Array.from({ length: 20 }, (_, index) => `[${index + 1},${index + 1}]`);
    expect(await conversation.settle()).toEqual([
      `{"type":"poll_ok","msgs":{"a":[${pairs.join(",")}]}}`,
    ]);
  });

  it("bounds the bytes of an answer, and leaves out another key the next time", async () => {
    const conversation = new Conversation();
    for (const key of ["a", "b"]) conversation.logs.put(key, `"${key.repeat(2 ** 21)}"`);
    const lengths: number[][] = [];
    for (let turn = 0; turn < 2; turn++) {
      conversation.ask(poll({ a: 0, b: 0 }));
      const { msgs } = JSON.parse((await conversation.settle())[0] ?? "");
      lengths.push([msgs.a?.length, msgs.b?.length]);
    }
    expect(lengths).toEqual([
      [1, undefined],
      [undefined, 1],
    ]);
  });

  it.each([
    ["text", Buffer.from("hello")],
    ["nothing", Buffer.from("")],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ])("does not pass on %s that somebody else wrote", async (_, value) => {
    const conversation = new Conversation();
    conversation.logs.put("a", value);
    conversation.ask(poll({ a: 0 }));
    expect(await conversation.settle()).toEqual([
      'What stands at offset 0 of key "a" is not JSON.',
    ]);
  });

  it("keeps what somebody else wrote on one line", async () => {
    const conversation = new Conversation();
    conversation.logs.put("a", "[1,\n2]");
    conversation.ask(poll({ a: 0 }));
    expect(await conversation.settle()).toEqual([`{"type":"poll_ok","msgs":{"a":[[0,[1, 2]]]}}`]);
  });

  it.each([
    [{ type: "send", msg: 1 }, "key must be a string"],
    [{ type: "send", key: 5, msg: 1 }, "key must be a string"],
    [{ type: "send", key: "a" }, "msg is missing"],
    [{ type: "poll" }, "offsets must be an object"],
    [poll([]), "offsets must be an object"],
    [poll({ a: -1 }), 'the offset of key "a" must be an integer from 0 on'],
    [poll({ a: 1.5 }), 'the offset of key "a" must be an integer from 0 on'],
    [poll({ a: "x" }), 'the offset of key "a" must be an integer from 0 on'],
    [poll({ a: null }), 'the offset of key "a" must be an integer from 0 on'],
    [poll({ a: 2 ** 60 }), 'the offset of key "a" must be an integer from 0 on'],
    [commit({ a: 2 ** 53 - 1 }), 'the offset of key "a" must be an integer from 0 on'],
    [commit({ a: 0, b: -1 }), 'the offset of key "b" must be an integer from 0 on'],
    [{ type: "list_committed_offsets" }, "keys must be an array of strings"],
    [{ type: "list_committed_offsets", keys: { a: 1 } }, "keys must be an array of strings"],
    [{ type: "list_committed_offsets", keys: ["a", 1] }, "keys must be an array of strings"],
  ])("refuses %j", async (body, message) => {
    const conversation = new Conversation();
    conversation.ask(body);
    expect(await conversation.settle()).toEqual([message]);
    expect(conversation.held).toEqual([]);
    expect(conversation.logs.reads).toEqual([]);
  });
});
