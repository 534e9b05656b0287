import { describe, expect, it } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { createLogger, failureFields, type LogLevel, SILENT } from "../../src/server/logging.js";

function written(level: LogLevel): Record<string, unknown>[] {
  const lines: string[] = [];
  const logger = createLogger(level, { write: (line) => lines.push(line) });
  logger.debug({ method: "M" }, "call");
  logger.info({ port: 1 }, "listening");
  logger.warn({ code: "NO_SPACE" }, "call failed");
  return lines.map((line) => JSON.parse(line));
}

describe("a logger", () => {
  it("writes a line of JSON for each message, from its level on", () => {
    expect(written("debug")).toMatchObject([
      { level: 20, msg: "call", method: "M" },
      { level: 30, msg: "listening", port: 1 },
      { level: 40, msg: "call failed", code: "NO_SPACE" },
    ]);
    const levels = ["debug", "info", "warn", "silent"] as const;
    expect(levels.map((level) => written(level).length)).toEqual([3, 2, 1, 0]);
    for (const tell of [SILENT.debug, SILENT.info, SILENT.warn]) tell({}, "");
  });
});

describe("the fields of a failure", () => {
  it("are its code, its message, and those of its causes; nothing else", () => {
    const cause = Object.assign(new Error("no"), { code: "EIO", token: "geheim" });
    const error = new SeglogError("IO_ERROR", "Cannot read", { cause });
    expect(failureFields(error)).toEqual({
      error: "Cannot read",
      code: "IO_ERROR",
      cause: { error: "no", code: "EIO" },
    });
    error.cause = error;
    expect(JSON.stringify(failureFields(error)).length).toBeLessThan(1000);
    expect(failureFields("thrown text")).toEqual({ error: "thrown text" });
  });
});
