import type { MetadataResponse } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";

/** What a key's log is made of. */
export interface KeyMetadata {
  /** Earliest readable offset, inclusive. */
  readonly startOffset: number;
  /** One past the last readable offset. */
  readonly endOffset: number;
  /** Rises when records are taken back. */
  readonly epoch: number;
  /** Length of the data files. */
  readonly sizeBytes: number;
  /** In the order of their offsets; the last one takes the appends. */
  readonly segments: readonly KeySegment[];
}

/** A segment of a key's log. */
export interface KeySegment {
  /** Inclusive. */
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** Length of the data file. */
  readonly sizeBytes: number;
}

/** As the server tells it. */
export function keyMetadata(found: MetadataResponse): KeyMetadata {
  return {
    startOffset: toSafeInteger(found.startOffset, "start_offset"),
    endOffset: toSafeInteger(found.endOffset, "end_offset"),
    epoch: toSafeInteger(found.epoch, "epoch"),
    sizeBytes: toSafeInteger(found.sizeBytes, "size_bytes"),
    segments: found.segments.map(({ baseOffset, endOffset, sizeBytes }) => ({
      baseOffset: toSafeInteger(baseOffset, "base_offset"),
      endOffset: toSafeInteger(endOffset, "end_offset"),
      sizeBytes: toSafeInteger(sizeBytes, "size_bytes"),
    })),
  };
}
