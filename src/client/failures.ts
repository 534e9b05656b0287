import { Code, ConnectError } from "@connectrpc/connect";
import { SeglogError, type SeglogErrorCode } from "../errors.js";
import { ErrorDetailSchema } from "../wire/generated/seglog/v1/log_service_pb.js";

/** What may be gone when the same is tried again. */
const TRANSIENT: ReadonlySet<SeglogErrorCode> = new Set<SeglogErrorCode>([
  "IO_ERROR",
  "LIMIT_EXCEEDED",
  "LOG_POISONED",
  "NO_SPACE",
  "TIMEOUT",
  "TOO_MANY_OPEN_FILES",
  "UNAVAILABLE",
]);

/** What leaves open whether an append was stored. After any other failure it was not. */
const UNCERTAIN: ReadonlySet<SeglogErrorCode> = new Set<SeglogErrorCode>([
  "CORRUPTION",
  "IO_ERROR",
  "LOG_POISONED",
  "TIMEOUT",
  "UNAVAILABLE",
]);

/** Whether the server may do later what it refused, or did not answer, now. */
export function isTransient(error: unknown): boolean {
  return error instanceof SeglogError && TRANSIENT.has(error.code);
}

/** Whether an append that failed so may be stored all the same. */
export function isUncertain(error: unknown): boolean {
  return error instanceof SeglogError && UNCERTAIN.has(error.code);
}

/** Whether `error` is a `SeglogError` with this code. */
export function hasCode(error: unknown, code: SeglogErrorCode): boolean {
  return error instanceof SeglogError && error.code === code;
}

/**
 * Whether a call ended because one of its messages was longer than the server takes, which the
 * protocol refuses before anybody has read the message.
 *
 * A limit that is reached for now has the same status. But that is told by the service, with a
 * detail; or by the connection (`ENHANCE_YOUR_CALM`), and then there is no status from the server.
 */
export function isTooLong(error: Error): boolean {
  const { cause } = error;
  if (!(cause instanceof ConnectError) || cause.code !== Code.ResourceExhausted) return false;
  const isDetailed = cause.findDetails(ErrorDetailSchema).length > 0;
  return !isDetailed && cause.metadata.has("grpc-status");
}
