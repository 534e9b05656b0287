/** The victim commits offsets for a group. */
export interface CommitChange {
  readonly kind: "commit" | "seek";
  readonly group: string;
  readonly offsets: readonly (readonly [key: string, next: number])[];
}

/** It takes records off the end of a log, or the log off its store. */
export type CutChange =
  | { readonly kind: "truncate"; readonly key: string; readonly offset: number }
  | { readonly kind: "delete"; readonly key: string };

/** Something other than an append that the victim asks of its store. */
export type Change =
  | CommitChange
  | CutChange
  | { readonly kind: "trim"; readonly key: string; readonly offset: number }
  | { readonly kind: "flush" | "close" };

/**
 * What the victim tells the judge, a line of JSON each, written before it does anything else: so
 * what is in the journal is a lower bound of what was acknowledged. Of appends the judge knows by
 * itself what was submitted; of everything else the victim says so beforehand.
 */
export type Entry =
  | { readonly type: "started"; readonly pid: number }
  /** The store is open, or (with a code) could not be opened. */
  | { readonly type: "opened"; readonly code?: string }
  | {
      readonly type: "bounds";
      readonly key: string;
      readonly startOffset: number;
      readonly endOffset: number;
      /** Why the log could not be opened; then there are no bounds. */
      readonly code?: string;
    }
  | {
      readonly type: "appended";
      readonly key: string;
      readonly appender: number;
      readonly op: number;
      readonly baseOffset: number;
    }
  | {
      readonly type: "refused";
      readonly key: string;
      readonly appender: number;
      readonly op: number;
      readonly code: string;
    }
  | { readonly type: "asked"; readonly id: number; readonly change: Change }
  | { readonly type: "done"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly code: string }
  /** `onError` was called. */
  | { readonly type: "told"; readonly code: string }
  /** A log takes no more appends: how it reads, and what one more append comes to. */
  | {
      readonly type: "probed";
      readonly key: string;
      /** Of the append that found out. */
      readonly code: string;
      readonly appendCode: string;
      readonly readable: number;
      readonly expected: number;
    };

/** An entry, and whether the judge read it after it had begun to cut the power. */
export interface JournalLine {
  readonly entry: Entry;
  /** Then it counts as submitted, not as acknowledged. */
  readonly isLate: boolean;
}
