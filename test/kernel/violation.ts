/**
 * What the judge finds wrong.
 *
 * - `lost`: an acknowledged record or commit is not there, or is another.
 * - `made up`: something is there that nobody wrote, or not there, or not any more.
 * - `wrong`: anything else: a store that does not open, an error without a type, a hang.
 */
export interface Violation {
  readonly kind: "lost" | "made up" | "wrong";
  /** One sentence: where, what, and what should be. */
  readonly message: string;
}
