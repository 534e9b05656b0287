import type { ReadOptions } from "../index.js";
import { PendingWork } from "./pending-work.js";
import { type Message, POLL_BYTES, type ReadKey, readPolled } from "./poll.js";
import { malformed, readKey, readKeys, readOffsets } from "./request-body.js";
import type { Handler } from "./runtime/handler.js";
import { JsonText } from "./runtime/json.js";
import { MaelstromError } from "./runtime/maelstrom-error.js";
import type { Body, Request } from "./runtime/protocol.js";

/**
 * The longest message, in characters of JSON. It fits into the line of every answer, also where it
 * is text within text.
 */
const MAX_MESSAGE_CHARACTERS = 4 * 1024 * 1024;

/** What the workload needs of an engine: a part of `KeyedLog`. */
export interface MessageLogs {
  append(key: string, message: string): Promise<number>;
  read(
    key: string,
    from: number,
    options: ReadOptions,
  ): Promise<{ readonly records: readonly Message[] }>;
}

/** What it needs of a consumer group: a part of `KeyedGroup`. */
export interface CommittedOffsets {
  commit(offsets: ReadonlyMap<string, number>): Promise<void>;
  committed(keys: Iterable<string>): Promise<ReadonlyMap<string, number>>;
}

/**
 * The four RPCs of Maelstrom's `kafka` workload.
 *
 * Requests are handled concurrently, and yet a request sees everything about its keys that was
 * asked for before it: a poll or a commit begins when the sends to its keys that came earlier have
 * ended, a list when the commits have. So the answers do not depend on whether a client waits for
 * an answer before it asks for the next thing.
 *
 * On the wire a committed offset is the last one that was processed. Here, and only here, it is
 * converted from and to the next one to read, which is what a store keeps.
 */
export class KafkaWorkload {
  /** By type of request. */
  readonly handlers: ReadonlyMap<string, Handler> = new Map([
    ["send", { handle: (request) => this.#send(request) }],
    ["poll", { answerBytes: POLL_BYTES, handle: (request) => this.#poll(request) }],
    ["commit_offsets", { handle: (request) => this.#commitOffsets(request) }],
    ["list_committed_offsets", { handle: (request) => this.#listCommittedOffsets(request) }],
  ]);
  readonly #logs: MessageLogs;
  readonly #group: CommittedOffsets;
  readonly #sends = new PendingWork();
  readonly #commits = new PendingWork();
  #polls = 0;

  constructor(logs: MessageLogs, group: CommittedOffsets) {
    this.#logs = logs;
    this.#group = group;
  }

  async #send(request: Request): Promise<Body> {
    const key = readKey(request);
    const message = request.bodyText("msg");
    if (message === undefined) throw malformed("msg is missing");
    if (message.length > MAX_MESSAGE_CHARACTERS) {
      throw malformed(`msg has ${message.length} characters, more than ${MAX_MESSAGE_CHARACTERS}`);
    }
    // No waiting before this line: the order of arrival becomes the order of offsets.
    const append = this.#logs.append(key, message);
    this.#sends.add([key], append);
    return { type: "send_ok", offset: await append };
  }

  async #poll(request: Request): Promise<Body> {
    const read: ReadKey = async (key, from, options) => {
      await this.#sends.settled([key]);
      return (await this.#logs.read(key, from, options)).records;
    };
    const found = await readPolled(read, readOffsets(request), this.#polls++);
    const messages = Array.from(found, ([key, records]) => {
      const pairs = records.map((record) => [record.offset, decodeMessage(key, record)]);
      return [key, pairs] as const;
    });
    return { type: "poll_ok", msgs: new Map(messages) };
  }

  async #commitOffsets(request: Request): Promise<Body> {
    const offsets = readOffsets(request);
    const next = new Map(Array.from(offsets, ([key, offset]) => [key, offset + 1]));
    const commit = this.#sends.settled(next.keys()).then(() => this.#group.commit(next));
    this.#commits.add(next.keys(), commit);
    await commit;
    return { type: "commit_offsets_ok" };
  }

  async #listCommittedOffsets(request: Request): Promise<Body> {
    const keys = readKeys(request);
    await this.#commits.settled(keys);
    const committed = await this.#group.committed(keys);
    const offsets = new Map<string, number>();
    for (const key of keys) {
      const next = committed.get(key) ?? 0;
      // Where nothing was processed there is no last offset to tell.
      if (next > 0) offsets.set(key, next - 1);
    }
    return { type: "list_committed_offsets_ok", offsets };
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Whatever else may have written to the store, only JSON goes out. */
function decodeMessage(key: string, record: Message): JsonText {
  try {
    const text = decoder.decode(record.value);
    JSON.parse(text);
    return new JsonText(text);
  } catch (error) {
    const place = `offset ${record.offset} of key ${JSON.stringify(key)}`;
    throw new MaelstromError("crash", `What stands at ${place} is not JSON.`, { cause: error });
  }
}
