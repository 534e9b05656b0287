import { Code } from "@connectrpc/connect";
import type { SeglogErrorCode } from "../errors.js";

/** The status of a call that fails with a code; the service's .proto says what they mean. */
export const STATUS_OF: Readonly<Record<SeglogErrorCode, Code>> = {
  OFFSET_OUT_OF_RANGE: Code.OutOfRange,
  KEY_NOT_FOUND: Code.NotFound,

  INVALID_KEY: Code.InvalidArgument,
  RECORD_TOO_LARGE: Code.InvalidArgument,
  BATCH_TOO_LARGE: Code.InvalidArgument,

  LIMIT_EXCEEDED: Code.ResourceExhausted,
  NO_SPACE: Code.ResourceExhausted,
  TOO_MANY_OPEN_FILES: Code.ResourceExhausted,

  PRODUCER_FENCED: Code.FailedPrecondition,
  SEQUENCE_FORGOTTEN: Code.FailedPrecondition,
  SEQUENCE_GAP: Code.FailedPrecondition,
  READ_ONLY: Code.FailedPrecondition,

  LOG_TRUNCATED: Code.Aborted,
  TIMEOUT: Code.DeadlineExceeded,
  UNAVAILABLE: Code.Unavailable,
  CLOSED: Code.Unavailable,
  LOG_POISONED: Code.Unavailable,
  CORRUPTION: Code.DataLoss,
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,

  BELONGS_TO_STORE: Code.Internal,
  CLOCK_STEPPED_BACK: Code.Internal,
  FILE_ACCESS: Code.Internal,
  IO_ERROR: Code.Internal,
  LOCKED: Code.Internal,
  NOT_A_LOG: Code.Internal,
  NOT_A_STORE: Code.Internal,
  UNSAFE_PATH: Code.Internal,
  UNSUPPORTED_FORMAT: Code.Internal,
};
