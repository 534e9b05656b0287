import type { KeyValueStore } from "../runtime/key-value-store.js";
import type { Trust } from "./trust.js";

/** What the engine over key-value stores works with. */
export interface KvEnvironment {
  /** Linearizable: for all that is decided, and for what must not be missed. */
  readonly ordered: KeyValueStore;
  /** Its reads may be stale: for what never changes and is not missed. */
  readonly immutable: KeyValueStore;
  /** No other writer has this name, nor has one had it before a restart. */
  readonly writerName: string;
  /** Whether what this node has seen lately of a key is all that there is. */
  readonly trustIn: (key: string) => Trust;
}
