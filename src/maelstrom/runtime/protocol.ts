import { encodeJson, encodeMembers, isObject, type Json } from "./json.js";
import { MaelstromError } from "./maelstrom-error.js";
import { memberText } from "./member-text.js";

/** Whom an answer goes to and what it answers. */
export interface Origin {
  /** Who asks. */
  readonly src: string;
  /** Who is asked. */
  readonly dest: string;
  /** Its `msg_id`; different for all that one asks. */
  readonly messageId: number;
}

/** What a message says. */
export interface Content {
  /** What kind of message it is, such as `read` or `read_ok`. */
  readonly type: string;
  /** As `JSON.parse` made it: members have unknown types, and names such as `__proto__` are data. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The value of a member of the body as it was written; `undefined` if there is none. */
  bodyText(name: string): string | undefined;
}

/** A message that wants an answer. */
export interface Request extends Origin, Content {}

/** An answer to something that this node asked. */
export interface Reply extends Content {
  /** Who answers. */
  readonly src: string;
  /** The `msg_id` of what was asked. */
  readonly inReplyTo: number;
}

/** The body of a message; the protocol's own members are added when it is written. */
export interface Body {
  /** What kind of message it is, such as `read` or `read_ok`. */
  readonly type: string;
  readonly [name: string]: Json;
}

/** What a line turned out to be. */
export type ParsedLine =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "reply"; readonly reply: Reply }
  /** No request, but its sender can be told so. */
  | { readonly kind: "refused"; readonly origin: Origin; readonly error: MaelstromError }
  /** Nobody can be told. */
  | { readonly kind: "unanswerable"; readonly reason: string };

/** Reads one line of input. Never throws. */
export function parseLine(line: string): ParsedLine {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return { kind: "unanswerable", reason: "not JSON" };
  }
  if (!isObject(message)) return { kind: "unanswerable", reason: "not a JSON object" };
  const { src, dest, body } = message;
  if (typeof src !== "string") return { kind: "unanswerable", reason: "no src" };
  if (!isObject(body)) return { kind: "unanswerable", reason: "no body" };
  const { type, in_reply_to: inReplyTo, msg_id: messageId } = body;
  const bodyText = (name: string) => memberText(memberText(line, "body") ?? "{}", name);
  if (inReplyTo !== undefined) {
    // It may have a msg_id, too, but answering an answer could go on for ever.
    if (!Number.isSafeInteger(inReplyTo) || typeof type !== "string") {
      return { kind: "unanswerable", reason: "a reply to nothing that this node asked" };
    }
    return { kind: "reply", reply: { src, inReplyTo: Number(inReplyTo), type, body, bodyText } };
  }
  if (!Number.isSafeInteger(messageId)) {
    return { kind: "unanswerable", reason: "no msg_id that an answer could name" };
  }
  const origin = { src, dest: typeof dest === "string" ? dest : "", messageId: Number(messageId) };
  if (typeof dest !== "string") return refuse(origin, "dest must be a string");
  if (typeof type !== "string") return refuse(origin, "type must be a string");
  return { kind: "request", request: { ...origin, type, body, bodyText } };
}

function refuse(origin: Origin, message: string): ParsedLine {
  return { kind: "refused", origin, error: new MaelstromError("malformedRequest", message) };
}

/**
 * Writes the answer to a request as one line, without its end.
 *
 * @param nodeId - Who answers.
 */
export function encodeReply(nodeId: string, origin: Origin, body: Body): string {
  const { src, messageId } = origin;
  return encodeMessage(nodeId, src, body, ["in_reply_to", messageId]);
}

/**
 * Writes a request as one line, without its end.
 *
 * @param nodeId - Who asks.
 */
export function encodeRequest(nodeId: string, dest: string, messageId: number, body: Body): string {
  return encodeMessage(nodeId, dest, body, ["msg_id", messageId]);
}

function encodeMessage(
  src: string,
  dest: string,
  body: Body,
  identity: readonly [string, number],
): string {
  const bodyText = encodeMembers([...Object.entries(body), identity]);
  return `{"src":${encodeJson(src)},"dest":${encodeJson(dest)},"body":${bodyText}}`;
}

/** The body that tells of an error. */
export function errorBody(error: MaelstromError): Body {
  return { type: "error", code: error.code, text: error.message };
}

/** The error that a reply tells; `undefined` if it tells none. */
export function errorOf({ type, body }: Content): MaelstromError | undefined {
  if (type !== "error") return undefined;
  const code = Number.isSafeInteger(body.code) ? Number(body.code) : "crash";
  return new MaelstromError(code, typeof body.text === "string" ? body.text : "No reason given.");
}
