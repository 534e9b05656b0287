import { isObject } from "./runtime/json.js";
import { MaelstromError } from "./runtime/maelstrom-error.js";
import type { Request } from "./runtime/protocol.js";

/** What is told of a request that is not as it should be. */
export function malformed(message: string): MaelstromError {
  return new MaelstromError("malformedRequest", message);
}

/**
 * The offsets by key that a request has.
 *
 * @throws MaelstromError `malformedRequest` if one of them is none.
 */
export function readOffsets(request: Request): Map<string, number> {
  const { offsets } = request.body;
  if (!isObject(offsets)) throw malformed("offsets must be an object");
  const result = new Map<string, number>();
  for (const [key, offset] of Object.entries(offsets)) {
    if (!isOffset(offset)) {
      throw malformed(`the offset of key ${JSON.stringify(key)} must be an integer from 0 on`);
    }
    result.set(key, offset);
  }
  return result;
}

/** The highest safe integer is left out: the offset behind it could not be told apart. */
function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && value !== Number.MAX_SAFE_INTEGER;
}

/**
 * The keys that a request has.
 *
 * @throws MaelstromError `malformedRequest`.
 */
export function readKeys(request: Request): string[] {
  const { keys } = request.body;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) {
    throw malformed("keys must be an array of strings");
  }
  return keys;
}

/**
 * The key that a request has.
 *
 * @throws MaelstromError `malformedRequest`.
 */
export function readKey(request: Request): string {
  const { key } = request.body;
  if (typeof key !== "string") throw malformed("key must be a string");
  return key;
}
