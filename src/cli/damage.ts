import { basename } from "node:path";
import { CorruptionError, SeglogError } from "../errors.js";

/** Whether an error says that bytes are damaged, rather than that something could not be done. */
export function isDamage(error: unknown): boolean {
  return error instanceof SeglogError && error.code === "CORRUPTION";
}

/** Damage in a few words, where the advice of the full message stands elsewhere. */
export function damageText(error: unknown): string {
  if (!(error instanceof CorruptionError)) return (error as Error).message;
  return `${basename(error.file)} at ${error.position}: ${error.reason}`;
}
