import { type DestinationStream, pino } from "pino";
import { SeglogError } from "../errors.js";

/** Fields of a line, for programs. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a server tells what it does: a logger of pino, or whatever looks like one. */
export interface ServerLogger {
  /** Each call, and each connection that is refused. */
  debug(fields: LogFields, message: string): void;
  /** Start, stop, reload. */
  info(fields: LogFields, message: string): void;
  /** What failed on the server's side. */
  warn(fields: LogFields, message: string): void;
}

/** How much a logger tells: all from this level on. */
export type LogLevel = "debug" | "info" | "warn" | "silent";

/** Tells nothing. */
export const SILENT: ServerLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
};

/** A logger that writes lines of JSON, by default to standard error. */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): ServerLogger {
  return pino({ level, base: null }, destination);
}

/** A failure that is its own cause, by whatever way, ends somewhere. */
const MAX_CAUSES = 5;

/**
 * What is logged of a failure: its code and message, and those of its causes. Never all of its
 * fields, of which nobody knows what they hold.
 */
export function failureFields(error: unknown, maxCauses = MAX_CAUSES): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = error instanceof SeglogError ? error.code : (error as NodeJS.ErrnoException).code;
  return {
    error: error.message,
    ...(code !== undefined && { code }),
    ...(error.cause !== undefined &&
      maxCauses > 0 && { cause: failureFields(error.cause, maxCauses - 1) }),
  };
}
