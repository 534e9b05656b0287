import { describe } from "../format/record-codec.js";
import type { OffsetsByKey } from "./keyed-log.js";

/**
 * Offsets by key as pairs.
 *
 * @throws TypeError or RangeError for what are none.
 */
export function toOffsetPairs(offsets: OffsetsByKey): (readonly [key: string, next: number])[] {
  if (typeof offsets !== "object" || offsets === null) {
    throw new TypeError(
      `offsets must be a Map, pairs or an object of next offsets by key, not ${describe(offsets)}`,
    );
  }
  const pairs = Symbol.iterator in offsets ? [...offsets] : Object.entries(offsets);
  for (const [key, next] of pairs) {
    if (typeof next !== "number") {
      throw new TypeError(`The offset of ${describe(key)} must be a number, not ${describe(next)}`);
    }
    if (!Number.isSafeInteger(next) || next < 0) {
      throw new RangeError(`The offset of ${describe(key)} must be an integer >= 0, not ${next}`);
    }
  }
  return pairs;
}
