/** What opening a log found and did. */
export interface RecoveryReport {
  /**
   * `"created"`: the log is new. `"clean"`: it was closed properly, so nothing had to be read.
   * `"unclean"`: its writer stopped without closing it; the last segment was read and rewritten.
   * `"read-only"`: opened for reading; nothing was changed.
   */
  readonly kind: "created" | "clean" | "unclean" | "read-only";
  /** Bytes of the last segment that were read to find where complete batches end. */
  readonly scannedBytes: number;
  /** Records found in them. */
  readonly scannedRecords: number;
  /** Bytes behind the last complete batch that were cut off, or that a reader does not look at. */
  readonly cutBytes: number;
  /** Position in the data file at which they began, if there were any. */
  readonly cutPosition: number | undefined;
  /** What was wrong with them. */
  readonly cutReason: string | undefined;
  /** Path of the file that keeps them; `undefined` if nothing was cut or it was all zeros. */
  readonly quarantineFile: string | undefined;
  /** Base offsets of segments whose indexes were built anew. */
  readonly rebuiltIndexes: readonly number[];
  /** Whether the epoch rose, because accepted records may have been lost. */
  readonly epochRaised: boolean;
  /** Left-over temporary files and segments of an interrupted deletion that were removed. */
  readonly removedFiles: readonly string[];
  /** How long opening took. */
  readonly durationMs: number;
}

/** A report of an open that found nothing to do. */
export const NOTHING_RECOVERED: Omit<RecoveryReport, "kind" | "durationMs"> = {
  scannedBytes: 0,
  scannedRecords: 0,
  cutBytes: 0,
  cutPosition: undefined,
  cutReason: undefined,
  quarantineFile: undefined,
  rebuiltIndexes: [],
  epochRaised: false,
  removedFiles: [],
};
