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
export type { AppendOptions, ProducerSequence } from "./log/append-options.js";
export { AppendedBatch } from "./log/appended-batch.js";
export { CommitLog, type OpenLogOptions, type StoredProducer } from "./log/commit-log.js";
export type { IterationOptions } from "./log/iteration.js";
export type { Durability, LogOptions, RetentionOptions } from "./log/options.js";
export type { ReadOptions } from "./log/read-options.js";
export { RecordBatch } from "./log/record-batch.js";
export type { RecoveryReport } from "./log/recovery-report.js";
export type { SegmentContents, SegmentInfo } from "./log/segment-info.js";
export type { OpenedProducer } from "./store/checkpoint-file.js";
export { ConsumerGroup } from "./store/consumer-group.js";
export type {
  KeyBounds,
  KeyedBatch,
  KeyedGroup,
  KeyedLog,
  KeyedRead,
  OffsetsByKey,
} from "./store/keyed-log.js";
export { LogStore, type StoreOptions } from "./store/log-store.js";
export type { StoreRecoveryReport } from "./store/store-view.js";
