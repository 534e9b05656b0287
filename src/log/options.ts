import type { SeglogError } from "../errors.js";
import type { CompressionName } from "../format/compression.js";
import { describe } from "../format/record-codec.js";
import { integer, MAX_TIMER_MS, oneOf, refuseUnknown, requireObject } from "../option-checks.js";

/** When an append is acknowledged; see `docs/crash-safety.md`. */
export type Durability = "always" | "interval" | "os";

/** How much of a log to keep. Whole sealed segments are deleted, the oldest first. */
export interface RetentionOptions {
  /** Delete the oldest segments while the log's files take more than this many bytes. */
  readonly bytes?: number | undefined;
  /** Delete a segment when its latest record is older than this many milliseconds. */
  readonly ms?: number | undefined;
}

/** How a log stores its records. Every option has a default that is safe. */
export interface LogOptions {
  /**
   * When an append resolves. `"always"`: when it is on stable storage. `"interval"`: when it is
   * written, and synced every {@link flushIntervalMs}. `"os"`: when it is written; synced only when
   * a segment is sealed, by `flush()` and by `close()`, and beside the appends whenever 8 MiB were
   * written. In all three, nothing is lost when only the process dies. Default `"always"`; many
   * appends in flight share each sync, so it costs far less than one sync an append.
   */
  readonly durability?: Durability | undefined;
  /** Under `"interval"`, the longest time between two syncs. Default 1000. */
  readonly flushIntervalMs?: number | undefined;
  /**
   * Length at which a segment is sealed and the next one begins; a batch that is longer gets a
   * segment of its own. Smaller segments make retention finer and recovery after a crash shorter,
   * but are more files. Default 64 MiB, from 256 B to 1 GiB.
   */
  readonly segmentBytes?: number | undefined;
  /**
   * Age in milliseconds at which a segment with records is sealed even if it is not full, so that
   * retention by time can delete it. Default: no limit.
   */
  readonly segmentMs?: number | undefined;
  /**
   * Length to which blocks are filled: what a point read reads, verifies and, with LZ4,
   * decompresses. Larger blocks compress better, and are appended and scanned faster. Default 8192,
   * or 16384 with LZ4; from 256 B to 1 MiB. A record that is longer gets a block of its own.
   */
  readonly blockBytes?: number | undefined;
  /**
   * Distance in a segment from one index entry to the next, rounded up to whole blocks. Default
   * 4096: one entry of 8 bytes for every 4 KiB of data.
   */
  readonly indexIntervalBytes?: number | undefined;
  /** `"lz4"` compresses each block, where that saves anything. Default `"none"`. */
  readonly compression?: CompressionName | undefined;
  /** Longest record: value, key and headers. Default 16 MiB, at most 128 MiB. */
  readonly maxRecordBytes?: number | undefined;
  /** Longest batch. It is held in memory as a whole. Default 64 MiB, at most 1 GiB. */
  readonly maxBatchBytes?: number | undefined;
  /**
   * How many bytes may wait to be written. Beyond it `append` waits, having copied nothing, until
   * there is room. Default 64 MiB. A batch that is longer waits until it is alone.
   */
  readonly maxPendingBytes?: number | undefined;
  /**
   * Timestamps never go back: when the clock does, records get the last timestamp again. A step
   * back by more than this is told to {@link onError} as `CLOCK_STEPPED_BACK`. Default 60000.
   */
  readonly maxClockStepMs?: number | undefined;
  /** What to delete by itself. Default: nothing. */
  readonly retention?: RetentionOptions | undefined;
  /**
   * Told of failures that no call reports: a sync in the background, retention. Default: a warning
   * of the process.
   */
  readonly onError?: ((error: SeglogError) => void) | undefined;
}

/** {@link LogOptions} with every default filled in and every bound checked. */
export interface ResolvedLogOptions {
  readonly durability: Durability;
  readonly flushIntervalMs: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly blockBytes: number;
  readonly indexIntervalBytes: number;
  readonly compression: CompressionName;
  readonly maxRecordBytes: number;
  readonly maxBatchBytes: number;
  readonly maxPendingBytes: number;
  readonly maxClockStepMs: number;
  readonly retention: { readonly bytes: number; readonly ms: number };
  readonly onError: (error: SeglogError) => void;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const LOG_OPTION_NAMES: ReadonlySet<string> = new Set<keyof LogOptions>([
  "durability",
  "flushIntervalMs",
  "segmentBytes",
  "segmentMs",
  "blockBytes",
  "indexIntervalBytes",
  "compression",
  "maxRecordBytes",
  "maxBatchBytes",
  "maxPendingBytes",
  "maxClockStepMs",
  "retention",
  "onError",
]);

/**
 * Checks options and fills in the defaults; touches no file.
 *
 * @param alsoKnown - Names that the caller handles itself.
 * @throws TypeError for an unknown option or a wrong type, RangeError for a value out of bounds.
 */
export function resolveLogOptions(
  options: LogOptions,
  alsoKnown: readonly string[] = [],
): ResolvedLogOptions {
  requireObject(options, "options");
  refuseUnknown(options, [...LOG_OPTION_NAMES, ...alsoKnown], "option");
  const compression = oneOf(options.compression, "compression", ["none", "lz4"] as const) ?? "none";
  const retention = options.retention ?? {};
  requireObject(retention, "retention");
  refuseUnknown(retention, ["bytes", "ms"], "option of retention");
  if (options.onError !== undefined && typeof options.onError !== "function") {
    throw new TypeError(`onError must be a function, not ${describe(options.onError)}`);
  }
  const resolved: ResolvedLogOptions = {
    durability:
      oneOf(options.durability, "durability", ["always", "interval", "os"] as const) ?? "always",
    flushIntervalMs: integer(options.flushIntervalMs, "flushIntervalMs", 1, MAX_TIMER_MS) ?? 1000,
    segmentBytes: integer(options.segmentBytes, "segmentBytes", 256, GIB) ?? 64 * MIB,
    segmentMs:
      integer(options.segmentMs, "segmentMs", 1, Number.MAX_SAFE_INTEGER) ??
      Number.POSITIVE_INFINITY,
    blockBytes:
      integer(options.blockBytes, "blockBytes", 256, MIB) ??
      (compression === "none" ? 8 * KIB : 16 * KIB),
    indexIntervalBytes:
      integer(options.indexIntervalBytes, "indexIntervalBytes", 64, GIB) ?? 4 * KIB,
    compression,
    maxRecordBytes: integer(options.maxRecordBytes, "maxRecordBytes", 1, 128 * MIB) ?? 16 * MIB,
    maxBatchBytes: integer(options.maxBatchBytes, "maxBatchBytes", 1, GIB) ?? 64 * MIB,
    maxPendingBytes:
      integer(options.maxPendingBytes, "maxPendingBytes", 1, Number.MAX_SAFE_INTEGER) ?? 64 * MIB,
    maxClockStepMs:
      integer(options.maxClockStepMs, "maxClockStepMs", 0, Number.MAX_SAFE_INTEGER) ?? 60_000,
    retention: {
      bytes:
        integer(retention.bytes, "retention.bytes", 0, Number.MAX_SAFE_INTEGER) ??
        Number.POSITIVE_INFINITY,
      ms:
        integer(retention.ms, "retention.ms", 0, Number.MAX_SAFE_INTEGER) ??
        Number.POSITIVE_INFINITY,
    },
    onError: shield(options.onError),
  };
  return resolved;
}

/** A callback that throws shows as an uncaught exception, and stops no writer half-way. */
function shield(onError: LogOptions["onError"]): (error: SeglogError) => void {
  if (onError === undefined) return (error) => process.emitWarning(error);
  return (error) => {
    try {
      onError(error);
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  };
}
