import { Code } from "@connectrpc/connect";
import { SeglogError, type SeglogErrorCode } from "../errors.js";
import { toConnectError } from "../wire/failure.js";
import { failureFields, type LogFields, type ServerLogger } from "./logging.js";

/** Who is told of what failed. */
export interface FailureObserver {
  readonly logger: ServerLogger;
  /** Told when a log takes no more appends. */
  readonly onPoisoned: () => void;
}

/** Failures of the server or of its data. All others are their callers' doing, or mean no harm. */
const SERVER_STATUSES: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown, Code.DataLoss]);
/** Failures with another status that its operator has to see to. */
const SERVER_CODES: ReadonlySet<SeglogErrorCode> = new Set<SeglogErrorCode>([
  "LOG_POISONED",
  "NO_SPACE",
  "TOO_MANY_OPEN_FILES",
]);

/** Logs a failure, at warn if it is the server's own. */
export function tellFailure(
  { logger, onPoisoned }: FailureObserver,
  error: unknown,
  fields: LogFields,
  message: string,
): void {
  const code = error instanceof SeglogError ? error.code : undefined;
  if (code === "LOG_POISONED") onPoisoned();
  const isOurs =
    SERVER_STATUSES.has(toConnectError(error).code) ||
    (code !== undefined && SERVER_CODES.has(code));
  logger[isOurs ? "warn" : "debug"]({ ...fields, ...failureFields(error) }, message);
}

/** The status of a call as gRPC writes it, such as `OUT_OF_RANGE`. */
export function statusOf(error: unknown): string {
  if (error === undefined) return "OK";
  return Code[toConnectError(error).code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
