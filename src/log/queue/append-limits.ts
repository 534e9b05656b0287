import { SeglogError } from "../../errors.js";
import { encodedBound } from "../../format/group-encoder.js";
import type { ResolvedLogOptions } from "../options.js";

/** @throws SeglogError `RECORD_TOO_LARGE`. */
export function assertLength(
  byteLength: number,
  { maxRecordBytes }: Pick<ResolvedLogOptions, "maxRecordBytes">,
): void {
  if (byteLength <= maxRecordBytes) return;
  throw new SeglogError(
    "RECORD_TOO_LARGE",
    `A record of ${byteLength} bytes is longer than maxRecordBytes (${maxRecordBytes}). ` +
      "Nothing was appended. Split it, or raise the option.",
  );
}

/**
 * The most that a batch takes in a buffer.
 *
 * @throws SeglogError `BATCH_TOO_LARGE`.
 */
export function batchBound(
  recordBytes: number,
  count: number,
  isOfProducer: boolean,
  { blockBytes, maxBatchBytes }: Pick<ResolvedLogOptions, "blockBytes" | "maxBatchBytes">,
): number {
  const perBlock = encodedBound(0, isOfProducer);
  let byteLength = perBlock + recordBytes + count * 8;
  // A header is at most as long again as the shortest block is.
  byteLength += Math.ceil(byteLength / blockBytes) * perBlock;
  if (byteLength <= maxBatchBytes || count === 1) return byteLength;
  throw new SeglogError(
    "BATCH_TOO_LARGE",
    `A batch of ${byteLength} encoded bytes is longer than maxBatchBytes (${maxBatchBytes}). ` +
      "Nothing of it was appended. Split it, or raise the option.",
  );
}

/** What a batch without records is answered with. */
export function noRecords(): RangeError {
  return new RangeError("A batch must hold at least one record");
}
