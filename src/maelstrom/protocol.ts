import { encodeJson, encodeMembers, type Json } from "./json.js";
import { memberText } from "./member-text.js";

/**
 * Maelstrom's error codes, those that this node uses. All but `crash` are definite: what was asked
 * for has not happened and will not.
 */
export const ERROR_CODES = {
  notSupported: 10,
  temporarilyUnavailable: 11,
  malformedRequest: 12,
  crash: 13,
  keyDoesNotExist: 20,
} as const;

/** A failure that is told to the sender of a request. */
export class MaelstromError extends Error {
  /** One of {@link ERROR_CODES}. */
  readonly code: number;

  constructor(kind: keyof typeof ERROR_CODES, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MaelstromError";
    this.code = ERROR_CODES[kind];
  }
}

/** Whom an answer goes to and what it answers. */
export interface Origin {
  readonly src: string;
  readonly dest: string;
  readonly messageId: number;
}

/** A message that wants an answer. */
export interface Request extends Origin {
  readonly type: string;
  /** As `JSON.parse` made it: members have unknown types, and names such as `__proto__` are data. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The value of a member of the body as it was written; `undefined` if there is none. */
  bodyText(name: string): string | undefined;
}

/** The body of an answer; the protocol's own members are added by {@link encodeReply}. */
export interface ReplyBody {
  readonly type: string;
  readonly [name: string]: Json;
}

/** What a line turned out to be. */
export type ParsedLine =
  | { readonly kind: "request"; readonly request: Request }
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
  // Answering an answer could go on for ever.
  if (body.in_reply_to !== undefined) {
    return { kind: "unanswerable", reason: "a reply to nothing that this node asked" };
  }
  const messageId = body.msg_id;
  if (!Number.isSafeInteger(messageId)) {
    return { kind: "unanswerable", reason: "no msg_id that an answer could name" };
  }
  const origin = { src, dest: typeof dest === "string" ? dest : "", messageId: Number(messageId) };
  if (typeof dest !== "string") return refuse(origin, "dest must be a string");
  const { type } = body;
  if (typeof type !== "string") return refuse(origin, "type must be a string");
  const bodyText = (name: string) => memberText(memberText(line, "body") ?? "{}", name);
  return { kind: "request", request: { ...origin, type, body, bodyText } };
}

function refuse(origin: Origin, message: string): ParsedLine {
  return { kind: "refused", origin, error: new MaelstromError("malformedRequest", message) };
}

/** Whether a parsed value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Writes the answer to a request as one line, without its end.
 *
 * @param nodeId - Who answers.
 */
export function encodeReply(nodeId: string, origin: Origin, body: ReplyBody): string {
  const { src, messageId } = origin;
  const bodyText = encodeMembers([...Object.entries(body), ["in_reply_to", messageId]]);
  return `{"src":${encodeJson(nodeId)},"dest":${encodeJson(src)},"body":${bodyText}}`;
}

/** The body that tells of an error. */
export function errorBody(error: MaelstromError): ReplyBody {
  return { type: "error", code: error.code, text: error.message };
}
