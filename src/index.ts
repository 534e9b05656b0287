export {
  CorruptionError,
  OffsetOutOfRangeError,
  SeglogError,
  type SeglogErrorCode,
} from "./errors.js";
export type { CompressionName } from "./format/compression.js";
export type {
  BytesInput,
  LogRecord,
  RecordFields,
  RecordHeader,
  RecordInput,
} from "./format/record.js";
export {
  type AppendOptions,
  CommitLog,
  type OpenLogOptions,
  type ReadOptions,
} from "./log/commit-log.js";
export type { IterationOptions } from "./log/iteration.js";
export type { Durability, LogOptions, RetentionOptions } from "./log/options.js";
export type { AppendedBatch } from "./log/pending.js";
export { RecordBatch } from "./log/record-batch.js";
export type { RecoveryReport } from "./log/recovery-report.js";
export type { SegmentContents, SegmentInfo } from "./log/segment-info.js";
