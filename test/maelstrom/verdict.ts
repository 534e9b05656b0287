/** What can be wrong with a history. */
export type AnomalyKind =
  /** An answer that is none to its request: another type, a member missing, a key nobody asked for. */
  | "malformed-reply"
  /** More messages of one key in one poll than there may be. */
  | "too-many"
  /** Two messages at one offset. */
  | "inconsistent-offset"
  /** One message at two offsets. */
  | "duplicate"
  /** A message that nobody had sent to that key by then, or whose sending was refused. */
  | "phantom"
  /** A send that began after another had ended, and yet got a lower offset. */
  | "non-monotonic-send"
  /** Offsets of one poll that do not rise, or begin below what was asked for. */
  | "non-monotonic-poll"
  /** A poll that passed over a message which others saw. */
  | "skipped"
  /** A poll that began after a message was known to be there, and did not come to it. */
  | "stale-poll"
  /** A message that was acknowledged, that polls came past, and that none of them ever saw. */
  | "lost-write"
  /** A committed offset lower than what had been committed or listed before. */
  | "committed-backwards"
  /** A committed offset higher than anybody had tried to commit. */
  | "committed-made-up";

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly key: string;
  readonly detail: string;
}

export interface Verdict {
  readonly anomalies: readonly Anomaly[];
  /** Sends that were acknowledged. */
  readonly acknowledged: number;
  /** Of those, the ones that no poll has seen. */
  readonly unseen: number;
  /** Messages in answers to polls, the same one as often as it came. */
  readonly polled: number;
  /** Requests that were answered with an error. */
  readonly refused: number;
  /** Requests that were never answered. */
  readonly unanswered: number;
}
