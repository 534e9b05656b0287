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
export { CommitLog, type OpenLogOptions, type StoredProducer } from "./log/commit-log.js";
export type { Durability, LogOptions, RetentionOptions } from "./log/options.js";
export type { AppendOptions, ProducerSequence } from "./log/queue/append-options.js";
export { AppendedBatch } from "./log/queue/appended-batch.js";
export type { IterationOptions } from "./log/read/iteration.js";
export type { ReadOptions } from "./log/read/read-options.js";
export { RecordBatch } from "./log/read/record-batch.js";
export type { SegmentContents, SegmentInfo } from "./log/read/segment-info.js";
export type { RecoveryReport } from "./log/recovery-report.js";
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
