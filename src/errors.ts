/**
 * Every reason for which seglog refuses or fails. `docs/errors.md` has a heading for each: what
 * happened, what is still true of the data, what to do.
 */
export type SeglogErrorCode =
  | "BELONGS_TO_STORE"
  | "CLOCK_STEPPED_BACK"
  | "CLOSED"
  | "CORRUPTION"
  | "FILE_ACCESS"
  | "INVALID_KEY"
  | "IO_ERROR"
  | "KEY_NOT_FOUND"
  | "LOCKED"
  | "LOG_POISONED"
  | "LIMIT_EXCEEDED"
  | "LOG_TRUNCATED"
  | "NOT_A_LOG"
  | "NOT_A_STORE"
  | "NO_SPACE"
  | "OFFSET_OUT_OF_RANGE"
  | "PERMISSION_DENIED"
  | "PRODUCER_FENCED"
  | "READ_ONLY"
  | "RECORD_TOO_LARGE"
  | "BATCH_TOO_LARGE"
  | "SEQUENCE_FORGOTTEN"
  | "SEQUENCE_GAP"
  | "TIMEOUT"
  | "TOO_MANY_OPEN_FILES"
  | "UNAUTHENTICATED"
  | "UNAVAILABLE"
  | "UNSAFE_PATH"
  | "UNSUPPORTED_FORMAT";

/**
 * The one error class of seglog. Tell cases apart by {@link SeglogError.code}, never by the
 * message. Misuse of the interface (a wrong type, an option out of bounds) is a plain `TypeError`
 * or `RangeError` instead: a program cannot sensibly handle it.
 */
export class SeglogError extends Error {
  /** Stable; part of the public interface. */
  readonly code: SeglogErrorCode;

  constructor(code: SeglogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SeglogError";
    this.code = code;
  }
}

/** Where damage was met; see {@link CorruptionError}. */
export interface CorruptionDetails {
  /** Path of the damaged file. */
  readonly file: string;
  /** Byte position in `file` at which the first invalid byte range begins. */
  readonly position: number;
  /** What is wrong there, as a clause: "block checksum does not match". */
  readonly reason: string;
  /** First offset that cannot be read because of the damage, where it is known. */
  readonly offset?: number;
}

/**
 * Bytes that had been written durably are not what was written. Code `CORRUPTION`.
 */
export class CorruptionError extends SeglogError {
  /** Path of the damaged file. */
  readonly file: string;
  /** Byte position in {@link file} at which the first invalid byte range begins. */
  readonly position: number;
  /** What is wrong there, as a clause. */
  readonly reason: string;
  /** First offset that cannot be read because of the damage, where it is known. */
  readonly offset: number | undefined;

  /** @internal */
  constructor(details: CorruptionDetails, options?: ErrorOptions) {
    const at = details.offset === undefined ? "" : ` (offset ${details.offset})`;
    super(
      "CORRUPTION",
      `${details.file} is damaged at position ${details.position}${at}: ${details.reason}. ` +
        "Nothing was changed. Restore the file from a copy, or see what `seglog repair --dry-run` " +
        "would save.",
      options,
    );
    this.name = "CorruptionError";
    this.file = details.file;
    this.position = details.position;
    this.reason = details.reason;
    this.offset = details.offset;
  }
}

/** An offset that the log does not hold; carries the bounds that it does hold. */
export class OffsetOutOfRangeError extends SeglogError {
  /** The offset asked for. */
  readonly offset: number;
  /** Earliest readable offset, inclusive. */
  readonly startOffset: number;
  /** One past the last readable offset. */
  readonly endOffset: number;

  constructor(offset: number, startOffset: number, endOffset: number, hint?: string) {
    super(
      "OFFSET_OUT_OF_RANGE",
      `Offset ${offset} is outside of the log, which holds [${startOffset}, ${endOffset})` +
        (hint === undefined ? "." : `: ${hint}`),
    );
    this.name = "OffsetOutOfRangeError";
    this.offset = offset;
    this.startOffset = startOffset;
    this.endOffset = endOffset;
  }
}
