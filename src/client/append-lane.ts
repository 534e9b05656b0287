import { create } from "@bufbuild/protobuf";
import { SeglogError } from "../errors.js";
import {
  type AppendRequest,
  AppendRequestSchema,
  type AppendStreamResponse,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { fromConnectError, fromFailure } from "../wire/remote-error.js";
import { backoffMs } from "./backoff.js";
import { hasCode, isTransient } from "./failures.js";
import type { BatchContents, OutgoingBatch } from "./outgoing-batch.js";
import type { Outbox } from "./outbox.js";

/** Opens a stream of appends; answers come in the order of the requests. */
export type OpenAppendStream = (
  requests: AsyncIterable<AppendRequest>,
  signal: AbortSignal,
) => AsyncIterable<AppendStreamResponse>;

/** What a lane needs. */
export interface AppendLaneOptions {
  readonly openStream: OpenAppendStream;
  /** How long to wait for an answer before the connection counts as dead. */
  readonly answerTimeoutMs: number;
  /** Compresses what can be compressed. */
  readonly compress: (contents: BatchContents) => BatchContents;
}

/**
 * Takes batches out of an outbox and sends them to the server, over one stream at a time. When a
 * stream breaks it opens another, as long as there is something to send.
 */
export class AppendLane {
  readonly #outbox: Outbox;
  readonly #options: AppendLaneOptions;
  /** The stream that is open, or being opened. */
  #stream: LaneStream | undefined;
  /** Streams in a row that broke without an answer. */
  #failures = 0;
  #backoff: NodeJS.Timeout | undefined;
  /** Whether one batch at a time is sent, to find out which of them breaks the stream. */
  #isCareful = false;
  #isClosed = false;

  constructor(outbox: Outbox, options: AppendLaneOptions) {
    this.#outbox = outbox;
    this.#options = options;
    outbox.onReady = () => this.#wake();
  }

  /** Begins to send. */
  start(): void {
    this.#wake();
  }

  /** Ends at once; what is under way gets no answer. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#backoff);
    this.#stream?.end();
  }
}
