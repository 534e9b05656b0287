import { isDeepStrictEqual } from "node:util";
import type { Body } from "../../history.js";
import { clojureText } from "./clojure-text.js";

/** A key-value service of the network. */
export interface KeyValueService {
  /**
   * Answers a request.
   *
   * @param client - Who asks; the guarantees of some services are given to each client by itself.
   */
  handle(client: string, request: Body): Body;
}

/** The value of a key at some moment; `undefined` if there is none. */
export interface Stored {
  readonly value: unknown;
}

/** What a request does to the state that it is applied to. */
export interface Effect {
  readonly reply: Body;
  /** The value that the key has now, though it may have had it before; only if it was written. */
  readonly written?: Stored;
}

/** How a service applies requests. */
export interface Dialect {
  /** Whether `create_if_not_exists` means anything. In Maelstrom's `lww-kv` it does not. */
  readonly creates: boolean;
}

/** The key of a request as something that a map can find. */
export function keyOf(request: Body): string {
  return JSON.stringify(request.key);
}

/** Applies a request to the value of its key. */
export function applyRequest(stored: Stored | undefined, request: Body, dialect: Dialect): Effect {
  const missing = missingMember(request);
  if (missing !== undefined) {
    return { reply: errorReply(12, `${request.type} needs ${missing}`) };
  }
  switch (request.type) {
    case "read":
      return { reply: stored ? { type: "read_ok", value: stored.value } : noSuchKey() };
    case "write":
      return { reply: { type: "write_ok" }, written: { value: request.value } };
    case "cas":
      return compareAndSwap(stored, request, dialect);
    default:
      return { reply: errorReply(10, `requests of type ${request.type} are not known`) };
  }
}

function compareAndSwap(stored: Stored | undefined, request: Body, dialect: Dialect): Effect {
  const { from, to } = request;
  if (!stored) {
    const creates = dialect.creates && request.create_if_not_exists === true;
    if (!creates) return { reply: noSuchKey() };
  } else if (!isDeepStrictEqual(stored.value, from)) {
    const text = `current value ${clojureText(stored.value)} is not ${clojureText(from)}`;
    return { reply: errorReply(22, text) };
  }
  return { reply: { type: "cas_ok" }, written: { value: to } };
}

function missingMember(request: Body): string | undefined {
  const needed: Readonly<Record<string, readonly string[]>> = {
    read: ["key"],
    write: ["key", "value"],
    cas: ["key", "from", "to"],
  };
  return needed[request.type]?.find((name) => request[name] === undefined);
}

function noSuchKey(): Body {
  return errorReply(20, "key does not exist");
}

function errorReply(code: number, text: string): Body {
  return { type: "error", code, text };
}
