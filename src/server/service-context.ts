import type { LogStore } from "../store/log-store.js";
import type { ByteBudget } from "./byte-budget.js";
import type { ResolvedLimits } from "./limits.js";

/** What the services work on. */
export interface ServiceContext {
  readonly store: LogStore;
  readonly limits: Pick<
    ResolvedLimits,
    "maxMessageBytes" | "maxPollBytes" | "maxPollRecords" | "maxPageKeys"
  >;
  /** For the records of appends on their way, over all calls. */
  readonly appendBudget: Pick<ByteBudget, "take">;
  /** Told of batches that were stored; the bytes are those of values, keys and headers. */
  readonly onAppended: (records: number, bytes: number) => void;
  /** Told of a batch that failed in a stream which goes on, so that nobody else hears of it. */
  readonly onBatchFailed: (error: unknown) => void;
  /** Aborted when the server stops: streams end then. */
  readonly stopping: AbortSignal;
}
