/**
 * An integer of the wire as a `number`.
 *
 * @param what - Name of the field, for the message.
 * @throws RangeError above 2^53 - 1, which a `number` does not hold exactly, and below 0.
 */
export function toSafeInteger(value: bigint, what: string): number {
  if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  throw new RangeError(`${what} must be an integer from 0 to 2^53 - 1, not ${value}`);
}
