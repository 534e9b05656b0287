import type { KeyValueStore } from "../runtime/key-value-store.js";

/** What the engine over key-value stores works with. */
export interface KvEnvironment {
  /** Linearizable: for all that is decided, and for what must not be missed. */
  readonly ordered: KeyValueStore;
  /** Its reads may be stale: for what never changes and is not missed. */
  readonly immutable: KeyValueStore;
  /** No other writer has this name, nor has one had it before a restart. */
  readonly writerName: string;
  /**
   * For how long what was seen is taken to be all that there is; 0 for not at all. More than 0 is
   * for a node that, as a rule, is the only one to write.
   */
  readonly trustMs: number;
}
