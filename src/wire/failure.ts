import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { OffsetOutOfRangeError, SeglogError, type SeglogErrorCode } from "../errors.js";
import {
  type ErrorDetail,
  ErrorDetailSchema,
  type Failure,
  FailureSchema,
} from "./generated/seglog/v1/log_service_pb.js";
import { STATUS_OF } from "./status.js";

/**
 * What a client is told instead of the message, for codes whose messages name files and directories
 * of the server. Those are nobody else's business; the server's own log has them.
 */
const PUBLIC_MESSAGES: Partial<Readonly<Record<SeglogErrorCode, string>>> = {
  BELONGS_TO_STORE: "The server's data cannot be opened: its log says why.",
  CLOSED: "The server is stopping. Ask again later.",
  CORRUPTION: "The stored data are damaged: the server's log says where. Nothing was changed.",
  FILE_ACCESS: "The server has no access to its data: its log says to what.",
  IO_ERROR: "The operating system of the server reported a failure: the server's log says which.",
  KEY_NOT_FOUND: "There is no such key. Nothing was done.",
  LOCKED: "Another writer has the data: the server's log says which.",
  LOG_POISONED:
    "A write or a sync of the server failed, so it takes no more appends to this key until it is " +
    "started again. Whether the records are stored is not known.",
  LOG_TRUNCATED: "Records were taken back: offsets may name other records than before.",
  NOT_A_LOG: "The server's data cannot be opened: its log says why.",
  NOT_A_STORE: "The server's data cannot be opened: its log says why.",
  NO_SPACE: "The server's disk is full. Nothing was stored; try again when there is room.",
  READ_ONLY: "The server has its data open for reading only.",
  TOO_MANY_OPEN_FILES: "The server has no file descriptor left. Nothing was stored; try again.",
  UNSAFE_PATH: "The server's data cannot be opened: its log says why.",
  UNSUPPORTED_FORMAT: "The stored data are of a newer version of seglog than the server's.",
};

/**
 * The failure of a call as a client is told it. Misuse (`TypeError`, `RangeError`) becomes
 * `INVALID_ARGUMENT`; what nobody expected, `INTERNAL` without its message. The error itself is
 * the `cause`, which stays here.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof SeglogError) {
    const detail = { desc: ErrorDetailSchema, value: toDetail(error) };
    return new ConnectError(
      publicMessage(error),
      STATUS_OF[error.code],
      undefined,
      [detail],
      error,
    );
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return new ConnectError(error.message, Code.InvalidArgument, undefined, undefined, error);
  }
  if (error instanceof Error && error.name === "AbortError") {
    return new ConnectError("The caller ended the call.", Code.Canceled);
  }
  const message = "The server failed in a way that nobody expected: its log says how.";
  return new ConnectError(message, Code.Internal, undefined, undefined, error);
}

/** As {@link toConnectError}, for one request of a stream that goes on. */
export function toFailure(error: unknown): Failure {
  const { code: status, rawMessage: message } = toConnectError(error);
  return create(FailureSchema, {
    status,
    message,
    ...(error instanceof SeglogError && { detail: toDetail(error) }),
  });
}

function publicMessage(error: SeglogError): string {
  return PUBLIC_MESSAGES[error.code] ?? error.message;
}

function toDetail(error: SeglogError): ErrorDetail {
  const detail = create(ErrorDetailSchema, { code: error.code });
  if (error instanceof OffsetOutOfRangeError) {
    // What was asked for may be nonsense that the wire cannot hold; the bounds never are.
    if (error.offset >= 0) detail.offset = BigInt(error.offset);
    detail.startOffset = BigInt(error.startOffset);
    detail.endOffset = BigInt(error.endOffset);
  }
  return detail;
}
