import { describe, expect, it } from "vitest";
import { SeglogError, type SeglogErrorCode } from "../../src/index.js";
import { toMaelstromError } from "../../src/maelstrom/failure.js";
import { MaelstromError } from "../../src/maelstrom/runtime/maelstrom-error.js";

describe("toMaelstromError", () => {
  it.each<[SeglogErrorCode, number]>([
    ["NO_SPACE", 11],
    ["TOO_MANY_OPEN_FILES", 11],
    ["OFFSET_OUT_OF_RANGE", 12],
    ["INVALID_KEY", 12],
    ["RECORD_TOO_LARGE", 12],
    ["KEY_NOT_FOUND", 20],
    // These leave open what has happened.
    ["LOG_POISONED", 13],
    ["IO_ERROR", 13],
    ["CORRUPTION", 13],
  ])("tells %s as %d", (code, expected) => {
    const error = toMaelstromError(new SeglogError(code, "the reason"));
    expect(error.code).toBe(expected);
    expect(error.message).toBe(`${code}: the reason`);
  });

  it("passes on what is said already", () => {
    const error = new MaelstromError("notSupported", "no");
    expect(toMaelstromError(error)).toBe(error);
  });

  it("does not tell a client about a fault of the program", () => {
    const fault = new TypeError("x is not a function");
    const error = toMaelstromError(fault);
    expect(error).toMatchObject({ code: 13, cause: fault });
    expect(error.message).not.toContain("x is not");
  });
});
