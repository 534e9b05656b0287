/** Something that the verification of a log or a store has to tell. */
export interface Finding {
  /**
   * `"damage"`: bytes are not what was written. `"warning"`: nothing is lost, and seglog deals with
   * it by itself. `"note"`: worth knowing.
   */
  readonly level: "damage" | "warning" | "note";
  /** Path of the file that it is about. */
  readonly file: string;
  /** Byte position in the file, where there is one. */
  readonly position: number | undefined;
  /** What is the matter, as a clause. */
  readonly message: string;
  /** Offsets that cannot be read because of it: first, and one past the last. */
  readonly lost: readonly [from: number, to: number] | undefined;
  /** What puts it right. */
  readonly remedy: Remedy;
}

/**
 * `"salvage"`: copying what is readable into a new log. `"recovery"`: opening for writing.
 * `"index"`: building the index anew. `"none"`: nothing to do.
 */
export type Remedy = "salvage" | "recovery" | "index" | "none";

/** A finding about a whole file. */
export function finding(
  level: Finding["level"],
  file: string,
  message: string,
  remedy: Remedy,
): Finding {
  return { level, file, position: undefined, message, lost: undefined, remedy };
}
