import type { CheckpointEntry } from "../format/checkpoint-frame.js";
import type { CommittedOffset, CommittedState } from "./checkpoint-file.js";

/** The offsets as they will be when what is about to be written counts. */
export class Outlook {
  readonly #state: CommittedState;
  /** What differs from the state; `undefined` is an offset that goes away. */
  readonly #changes = new Map<string, Map<string, CommittedOffset | undefined>>();

  constructor(state: CommittedState) {
    this.#state = state;
  }

  apply(entries: readonly CheckpointEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === "committed") this.#set(entry.group, entry.key, entry);
      else if (entry.kind === "key deleted") {
        for (const group of this.#groups()) this.#set(group, entry.key, undefined);
      }
    }
  }

  /**
   * Whether an entry does not move an offset back, or leave it as it is. One of another log of the
   * same key is none.
   */
  isAdvance(entry: CheckpointEntry): boolean {
    if (entry.kind !== "committed") return true;
    const current = this.#current(entry.group, entry.key);
    return current?.logId !== entry.logId || entry.next > current.next;
  }

  /** Entries that bring back the offsets of a log of `key` that lie past `endOffset`. */
  beyond(key: string, logId: string, endOffset: number): CheckpointEntry[] {
    const entries: CheckpointEntry[] = [];
    for (const group of this.#groups()) {
      const current = this.#current(group, key);
      if (current?.logId !== logId || current.next <= endOffset) continue;
      entries.push({ kind: "committed", group, key, logId, next: endOffset });
    }
    return entries;
  }

  #groups(): Set<string> {
    return new Set([...this.#state.keys(), ...this.#changes.keys()]);
  }

  #current(group: string, key: string): CommittedOffset | undefined {
    const changed = this.#changes.get(group);
    return changed?.has(key) ? changed.get(key) : this.#state.get(group)?.get(key);
  }

  #set(group: string, key: string, next: CommittedOffset | undefined): void {
    const changed = this.#changes.get(group);
    if (changed === undefined) this.#changes.set(group, new Map([[key, next]]));
    else changed.set(key, next);
  }
}
