export {
  CorruptionError,
  OffsetOutOfRangeError,
  SeglogError,
  type SeglogErrorCode,
} from "../errors.js";
export type { ClientOptions } from "./client-options.js";
export { connect } from "./connect.js";
export type { ConsumedBatch, ConsumedRecord, Consumer, PollOptions } from "./consumer.js";
export type { ConsumerOptions } from "./consumer-options.js";
export type { KeyMetadata, KeySegment } from "./key-metadata.js";
export type {
  FailedOutcome,
  Producer,
  SendCallback,
  SendOutcome,
  SentRecord,
  StoredOutcome,
} from "./producer.js";
export type { ProducerOptions } from "./producer-options.js";
export type { RemoteGroup } from "./remote-group.js";
export type { SeglogClient } from "./seglog-client.js";
