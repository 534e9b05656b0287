import type { GroupStore } from "./consumer-group.js";
import type { StoreKeys } from "./store-keys.js";

/** What opening a store found. */
export interface StoreRecoveryReport {
  /** Whether the store is new. */
  readonly created: boolean;
  /** Keys whose deletion had been interrupted, and was completed. */
  readonly deletedKeys: readonly string[];
  /** Why the end of the file of committed offsets is not used; `undefined` if all of it is. */
  readonly checkpointDamage: string | undefined;
}

/** The committed offsets of a store, as its groups are told of them and change them. */
export interface StoreOffsets extends GroupStore {
  /** Names of the groups that have committed anything. */
  groups(): string[] | Promise<string[]>;
}

/** A store that is open, be it written by this process or by another one. */
export interface StoreView {
  readonly recovery: StoreRecoveryReport;
  readonly keys: StoreKeys;
  readonly offsets: StoreOffsets;
  /**
   * Closes all of it. To be called once.
   *
   * @throws The first failure; all else is closed all the same.
   */
  close(): Promise<void>;
}
