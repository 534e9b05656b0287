import { describe } from "./format/record-codec.js";

/** The longest delay that a timer of Node takes. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Throws a `TypeError` unless `value` is an object, and no list. */
export function requireObject(value: unknown, name: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} must be an object, not ${describe(value)}`);
  }
}

/** Throws a `TypeError` that names the first property that is not known. */
export function refuseUnknown(value: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    throw new TypeError(`Unknown ${what}: ${describe(name)}. Known are: ${known.join(", ")}`);
  }
}

/** Throws a `TypeError` unless these are options of a call, none of them unknown. */
export function assertOptions(options: object, known: readonly string[]): void {
  requireObject(options, "options");
  refuseUnknown(options, known, "option");
}

/** Throws a `TypeError` unless `signal` is an `AbortSignal` or missing. */
export function assertSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.throwIfAborted === "function") return;
  throw new TypeError(`signal must be an AbortSignal, not ${describe(signal)}`);
}

/** Throws a `TypeError` unless `value` is a boolean or missing. */
export function assertBoolean(value: boolean | undefined, name: string): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(`${name} must be a boolean, not ${describe(value)}`);
}

/** Checks an optional integer in [least, most]. */
export function integer(
  value: number | undefined,
  name: string,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") {
    throw new TypeError(`${name} must be a number, not ${describe(value)}`);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`);
  }
  return value;
}

/** Checks an optional choice among `allowed`. */
export function oneOf<T extends string>(
  value: T | undefined,
  name: string,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && allowed.includes(value)) return value;
  const list = allowed.map((each) => JSON.stringify(each)).join(", ");
  const message = `${name} must be one of ${list}, not ${describe(value)}`;
  throw typeof value === "string" ? new RangeError(message) : new TypeError(message);
}

/** Checks an optional callback. */
export function optionalFunction<T>(value: T | undefined, name: string): T | undefined {
  if (value === undefined || typeof value === "function") return value;
  throw new TypeError(`${name} must be a function, not ${describe(value)}`);
}

/** Misuse is told apart from an offset that the log merely does not hold. */
export function assertOffset(offset: number, name: string): void {
  if (typeof offset !== "number") {
    throw new TypeError(`${name} must be a number, not ${describe(offset)}`);
  }
  if (!Number.isSafeInteger(offset)) {
    throw new RangeError(`${name} must be an integer of at most 2^53 - 1, not ${offset}`);
  }
}

/** Throws a `TypeError` unless `directory` can be a path. */
export function assertDirectory(directory: string): void {
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return;
  throw new TypeError(`directory must be a path, not ${describe(directory)}`);
}
