import type { Network } from "../../../src/maelstrom/runtime/handler.js";
import { encodeMembers } from "../../../src/maelstrom/runtime/json.js";
import { MaelstromError } from "../../../src/maelstrom/runtime/maelstrom-error.js";
import {
  type Body,
  errorOf,
  parseLine,
  type Reply,
} from "../../../src/maelstrom/runtime/protocol.js";

/** What becomes of a request: `apply` does what it asks for and gives the answer to it. */
export type Fate = (apply: () => Reply) => Promise<Reply>;

const asAsked: Fate = async (apply) => {
  await new Promise((resolve) => setImmediate(resolve));
  return apply();
};

/** Key-value services in memory, both of which are linearizable unless a test says otherwise. */
export class MemoryServices {
  readonly values = new Map<string, unknown>();
  /** All requests so far, as `service type key`. */
  readonly requests: string[] = [];
  /** What becomes of the next requests, one each; all others go as they were asked. */
  readonly fates: Fate[] = [];
  /** If set, decides about every request for which there is no other fate. */
  fateOf: ((service: string, body: Body) => Fate | undefined) | undefined;

  /** The services as one node sees them. */
  network(nodeId = "n0", nodeIds: readonly string[] = [nodeId]): Network {
    const request = (service: string, body: Body) => {
      this.requests.push(`${service} ${body.type} ${body.key}`);
      const fate = this.fates.shift() ?? this.fateOf?.(service, body) ?? asAsked;
      return fate(() => this.#apply(service, body));
    };
    return { nodeId, nodeIds, request };
  }

  /** How many requests are made until `work` is done. */
  async count(work: () => Promise<unknown>): Promise<number> {
    const before = this.requests.length;
    await work();
    return this.requests.length - before;
  }

  #apply(service: string, body: Body): Reply {
    const reply = toReply(service, this.#answer(service, body));
    const error = errorOf(reply);
    if (error !== undefined) throw error;
    return reply;
  }

  #answer(service: string, body: Body): Body {
    // As it would come out of a service: nothing is shared.
    const {
      type,
      key,
      value,
      from,
      to,
      create_if_not_exists: mayCreate,
    } = JSON.parse(encodeMembers(Object.entries(body)));
    const name = `${service} ${key}`;
    if (type === "write") {
      this.values.set(name, value);
      return { type: "write_ok" };
    }
    if (!this.values.has(name) && !(type === "cas" && mayCreate === true)) {
      return { type: "error", code: 20, text: "key does not exist" };
    }
    const current = this.values.get(name);
    if (type === "read") return { type: "read_ok", value: current as string };
    if (this.values.has(name) && JSON.stringify(current) !== JSON.stringify(from)) {
      return { type: "error", code: 22, text: "another value" };
    }
    this.values.set(name, to);
    return { type: "cas_ok" };
  }
}

/** An answer as it would come over the network. */
export function toReply(src: string, body: Body): Reply {
  const text = encodeMembers([...Object.entries(body), ["in_reply_to", 1]]);
  const parsed = parseLine(`{"src":"${src}","dest":"n0","body":${text}}`);
  if (parsed.kind !== "reply") throw new Error(parsed.kind);
  return parsed.reply;
}

const timeout = () => new MaelstromError("timeout", "no answer");

/** It happens, but nobody hears of it. */
export const answerLost: Fate = async (apply) => {
  apply();
  throw timeout();
};

/** It never arrives. */
export const requestLost: Fate = async () => {
  throw timeout();
};

/** It arrives when `arrive` is called, long after nobody waits for it any more. */
export function delayed(): { readonly fate: Fate; arrive(): void } {
  let arrive = () => {};
  const fate: Fate = async (apply) => {
    arrive = () => {
      try {
        apply();
      } catch {
        // The answer of a service, which nobody hears.
      }
    };
    throw timeout();
  };
  return { fate, arrive: () => arrive() };
}

/** It is refused. */
export const refused: Fate = async () => {
  throw new MaelstromError("temporarilyUnavailable", "not now");
};

/** It is answered as if there were no such key. */
export const notThere: Fate = async () => {
  throw new MaelstromError("keyDoesNotExist", "not there");
};
