import { InvalidArgumentError } from "commander";

/** Parses an offset or a count: an integer from 0 to 2^53 - 1, in decimal. */
export function parseInteger(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("It must be an integer from 0 to 2^53 - 1.");
}

/** Parses a path; an empty one would mean the working directory by accident. */
export function parsePath(text: string): string {
  if (text !== "" && !text.includes("\0")) return text;
  throw new InvalidArgumentError("It must be a path.");
}

/** Parses the path of a directory to make: one that looks like an option is a slip. */
export function parseNewPath(text: string): string {
  if (!text.startsWith("-")) return parsePath(text);
  throw new InvalidArgumentError("Write ./ before a name that begins with a hyphen.");
}

/** Parses the key of a log in a store. */
export function parseKey(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("A key must not be empty.");
}
