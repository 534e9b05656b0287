import type { AppendOptions, ProducerSequence } from "../log/commit-log.js";
import type { KeyedBatch } from "../store/keyed-log.js";
import type { LogStore } from "../store/log-store.js";
import type { ByteBudget } from "./byte-budget.js";
import type { ResolvedLimits } from "./limits.js";

/** The part of a store that knows of producers. */
export interface ProducerStore {
  openProducer(name: string): Promise<{ readonly id: bigint; readonly epoch: number }>;
  producer(
    key: string,
    id: bigint,
  ): Promise<
    | { readonly epoch: number; readonly nextSequence: number; readonly lastOffset: number }
    | undefined
  >;
  appendBatch(
    key: string,
    records: Iterable<import("../format/record.js").RecordInput>,
    options: AppendOptions & { readonly producer: ProducerSequence | undefined },
  ): Promise<KeyedBatch>;
}

/** What the services work on. */
export interface ServiceContext {
  readonly store: LogStore & ProducerStore;
  readonly limits: Pick<
    ResolvedLimits,
    "maxMessageBytes" | "maxPollBytes" | "maxPollRecords" | "maxPageKeys"
  >;
  /** For the records of appends on their way, over all calls. */
  readonly appendBudget: Pick<ByteBudget, "take">;
  /** Aborted when the server stops: streams end then. */
  readonly stopping: AbortSignal;
}
