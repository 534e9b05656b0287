import { assertOptions, integer } from "../../option-checks.js";
import type { ReadLimits } from "./log-reader.js";

const DEFAULT_READ_BYTES = 1024 * 1024;

/** Options of `CommitLog.readFrom`. */
export interface ReadOptions {
  /** Default: no limit. */
  readonly maxRecords?: number | undefined;
  /** Bytes of values, keys and headers; the first record comes even if it is longer. Default 1 MiB. */
  readonly maxBytes?: number | undefined;
}

/** Checks the options of a read and fills in the defaults. */
export function resolveReadOptions(options: ReadOptions): ReadLimits {
  assertOptions(options, ["maxRecords", "maxBytes"]);
  return {
    maxRecords:
      integer(options.maxRecords, "maxRecords", 1, Number.MAX_SAFE_INTEGER) ??
      Number.POSITIVE_INFINITY,
    maxBytes:
      integer(options.maxBytes, "maxBytes", 1, Number.MAX_SAFE_INTEGER) ?? DEFAULT_READ_BYTES,
  };
}
