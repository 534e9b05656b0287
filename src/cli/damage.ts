import { SeglogError } from "../errors.js";

/** Whether an error says that bytes are damaged, rather than that something could not be done. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof SeglogError &&
    (error.code === "CORRUPTION" || error.code === "CHECKPOINT_CORRUPTION")
  );
}
