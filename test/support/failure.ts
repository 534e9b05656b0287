import { expect } from "vitest";
import { SeglogError } from "../../src/errors.js";

/** The error that `run` fails with; it must be a typed one. */
export async function failureOf(run: Promise<unknown> | (() => unknown)): Promise<SeglogError> {
  const error = await thrownBy(run);
  if (!(error instanceof SeglogError)) throw error;
  return error;
}

/** The code of the typed error that `run` fails with. */
export async function codeOf(run: Promise<unknown> | (() => unknown)): Promise<string> {
  return (await failureOf(run)).code;
}

/** Whatever `run` fails with. */
export async function thrownBy(run: Promise<unknown> | (() => unknown)): Promise<unknown> {
  let result: unknown;
  try {
    result = await (typeof run === "function" ? run() : run);
  } catch (error) {
    return error;
  }
  return expect.fail(`it should fail, but gave ${String(result)}`);
}
