/** What can be wrong with a history. Most of these are Jepsen's, under Jepsen's names. */
export type AnomalyKind =
  /** Two messages at one offset. */
  | "inconsistent-offsets"
  /** One message at two offsets. */
  | "duplicate"
  /** A message that was acknowledged, that polls came past, and that none of them ever saw. */
  | "lost-write"
  /** A message that was acknowledged and that nobody saw, though everything was read in the end. */
  | "unseen"
  /** Offsets of one answer to a poll that do not rise. */
  | "int-nonmonotonic-poll"
  /** An answer to a poll that begins below what was asked for, so below what was read before. */
  | "nonmonotonic-poll"
  /** An answer to a poll that leaves out a message between two others. */
  | "int-poll-skip"
  /** An answer to a poll that leaves out a message before its first. */
  | "poll-skip"
  /** A send that began after another had ended, and yet got a lower offset. */
  | "nonmonotonic-send"
  // What follows is our own.
  /** An answer that is none to its request: another type, a member missing, a key nobody asked for. */
  | "malformed-reply"
  /** More messages of one key in one poll than there may be. */
  | "too-many"
  /** A message that nobody had sent to that key by then, or whose sending was refused. */
  | "phantom"
  /** A poll that began after a message was known to be there, and found nothing. */
  | "stale-poll"
  /** A committed offset lower than what had been committed or listed before. */
  | "committed-backwards"
  /** A committed offset higher than anybody had tried to commit. */
  | "committed-made-up"
  /** A commit that was acknowledged, and that no later list has come to. */
  | "lost-commit";

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
  /** Answers to polls that were empty for a key though a message was known to be there. */
  readonly stalePolls: number;
  /** Listed offsets that were lower than what had been committed or listed before by anybody. */
  readonly staleLists: number;
  /** Requests that were answered with an error. */
  readonly refused: number;
  /** Requests that were never answered. */
  readonly unanswered: number;
}
