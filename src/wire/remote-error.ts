import { Code, ConnectError } from "@connectrpc/connect";
import { OffsetOutOfRangeError, SeglogError, type SeglogErrorCode } from "../errors.js";
import {
  type ErrorDetail,
  ErrorDetailSchema,
  type Failure,
} from "./generated/seglog/v1/log_service_pb.js";
import { STATUS_OF } from "./status.js";

/**
 * Codes of failures that come without a detail: from a proxy, from the library that speaks the
 * protocol, from a connection that broke, from a server that is newer than this client.
 */
const CODE_OF: Partial<Readonly<Record<Code, SeglogErrorCode>>> = {
  [Code.DeadlineExceeded]: "TIMEOUT",
  [Code.ResourceExhausted]: "LIMIT_EXCEEDED",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.NotFound]: "KEY_NOT_FOUND",
  [Code.DataLoss]: "CORRUPTION",
};

/**
 * The failure of a remote call as the same error that the store would have thrown here.
 *
 * @returns A `SeglogError`, or a `RangeError` for a request that is wrong in itself. What tells
 *   nothing about the call, such as a connection that broke, is `UNAVAILABLE`.
 */
export function fromConnectError(error: unknown): SeglogError | RangeError {
  const failure = ConnectError.from(error);
  const [detail] = failure.findDetails(ErrorDetailSchema);
  return toError(failure.code, failure.rawMessage, detail, failure);
}

/** As {@link fromConnectError}, for one request of a stream that goes on. */
export function fromFailure({ status, message, detail }: Failure): SeglogError | RangeError {
  return toError(status, message, detail, undefined);
}

function toError(
  status: Code,
  message: string,
  detail: ErrorDetail | undefined,
  cause: ConnectError | undefined,
): SeglogError | RangeError {
  const options = cause === undefined ? {} : { cause };
  if (detail !== undefined && isKnown(detail.code)) {
    if (detail.code === "OFFSET_OUT_OF_RANGE") return outOfRange(detail, message);
    // What was closed is the server's store; of its own a client would know.
    const code = detail.code === "CLOSED" ? "UNAVAILABLE" : detail.code;
    return new SeglogError(code, message, options);
  }
  if (status === Code.InvalidArgument) return new RangeError(message, options);
  const name = detail === undefined ? (Code[status] ?? `status ${status}`) : detail.code;
  return new SeglogError(CODE_OF[status] ?? "UNAVAILABLE", `${message} (${name})`, options);
}

function isKnown(code: string): code is SeglogErrorCode {
  return Object.hasOwn(STATUS_OF, code);
}

function outOfRange(detail: ErrorDetail, message: string): OffsetOutOfRangeError {
  const { offset = -1n, startOffset = 0n, endOffset = 0n } = detail;
  const error = new OffsetOutOfRangeError(Number(offset), Number(startOffset), Number(endOffset));
  // The server's own says more, such as of which key.
  error.message = message;
  return error;
}
