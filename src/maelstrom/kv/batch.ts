import { isObject, type Json } from "../runtime/json.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";

/**
 * A batch of messages, as it stands in the key-value store under the key of its log and its base
 * offset. It never changes once it is there.
 */
export interface Batch {
  /** Made up by its writer: no two batches have the same, so a writer knows its own again. */
  readonly id: string;
  /** How many batches of its log stand before it. */
  readonly number: number;
  /**
   * At least one; the first has the base offset, and each next one the next offset. Texts, so that
   * what a message is made of passes through the store as it is.
   */
  readonly messages: readonly string[];
}

/** What stands in the store for a batch. */
export function encodeBatch({ id, number, messages }: Batch): { readonly [name: string]: Json } {
  return { id, number, messages };
}

/**
 * Reads what stands in the store.
 *
 * @param place - Names it in the error.
 * @param number - The number that it must have.
 * @throws MaelstromError `crash` if it is no such batch.
 */
export function decodeBatch(value: unknown, place: string, number: number): Batch {
  if (isObject(value)) {
    const { id, number: given, messages } = value;
    if (typeof id === "string" && given === number && isMessages(messages)) {
      return { id, number, messages };
    }
  }
  throw new MaelstromError("crash", `What stands at ${place} is not batch ${number} of a log.`);
}

function isMessages(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string")
  );
}
