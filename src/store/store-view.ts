import type { GroupStore } from "./consumer-group.js";

/** The committed offsets of a store, as its groups are told of them and change them. */
export interface StoreOffsets extends GroupStore {
  /** Names of the groups that have committed anything. */
  groups(): string[] | Promise<string[]>;
}
