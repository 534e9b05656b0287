import type { Operation } from "./history.js";

/** Offsets and messages of one key; a message is told apart by its JSON. */
export type Pairs = readonly (readonly [number, string])[];

/** Errors that leave open whether what was asked for has happened: time-out and crash. */
const INDEFINITE_CODES: readonly unknown[] = [0, 13];

export function isSend(operation: Operation): boolean {
  return operation.request.type === "send";
}

/** What a send asks for; a message is told apart by its JSON. */
export function sendOf({ request }: Operation): { readonly key: string; readonly message: string } {
  return { key: String(request.key), message: JSON.stringify(request.msg) };
}

/** Whether an error says for certain that nothing happened. */
export function wasRefused({ reply }: Operation): boolean {
  return reply?.type === "error" && !INDEFINITE_CODES.includes(reply.code);
}

/** The keys that a request names. */
export function keysOf({ request }: Operation): string[] {
  if (request.type === "send") return [String(request.key)];
  if (request.type === "list_committed_offsets") return (request.keys as string[]).map(String);
  return [...numbersOf(request.offsets).keys()];
}

/** The members of an object of offsets. */
export function numbersOf(members: unknown): Map<string, number> {
  return new Map(Object.entries((members ?? {}) as Record<string, number>));
}

/** By key, the messages in the answer to a poll. */
export function polledOf({ reply }: Operation): Map<string, Pairs> {
  const members = Object.entries(reply?.msgs as Record<string, [number, unknown][]>);
  return new Map(
    members.map(([key, pairs]) => [
      key,
      pairs.map(([offset, message]) => [offset, JSON.stringify(message)] as const),
    ]),
  );
}

/** What is wrong with an answer of the right type; `undefined` if nothing is. */
export function faultOf({ request, reply }: Operation): string | undefined {
  if (request.type === "send") {
    return isOffset(reply?.offset) ? undefined : "no offset";
  }
  if (request.type === "poll") {
    if (!isObject(reply?.msgs)) return "no msgs";
    if (!Object.values(reply.msgs).every(isPairs)) return "something else than pairs";
    return unasked(Object.keys(request.offsets as object), reply.msgs);
  }
  if (request.type === "list_committed_offsets") {
    if (!isObject(reply?.offsets)) return "no offsets";
    if (!Object.values(reply.offsets).every(isOffset)) return "something else than offsets";
    return unasked(request.keys as string[], reply.offsets);
  }
  return undefined;
}

function unasked(asked: readonly string[], answered: object): string | undefined {
  const known = new Set(asked);
  const extra = Object.keys(answered).find((key) => !known.has(key));
  return extra === undefined ? undefined : `key ${extra} was not asked for`;
}

function isPairs(value: unknown): boolean {
  const isPair = (pair: unknown) => Array.isArray(pair) && pair.length === 2 && isOffset(pair[0]);
  return Array.isArray(value) && value.every(isPair);
}

function isOffset(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
