import { LibraryProgram } from "./library-program.js";
import type { RecordSet } from "./record-set.js";

interface Found {
  /** When each record was seen, by `nowUs`. */
  readonly seenAtUs: Float64Array;
  readonly samples: readonly { readonly index: number; readonly value: Uint8Array }[];
}

/**
 * Starts to follow a log in another process, from its end on. Resolves when that has opened the
 * log, with a promise of when it saw each record, by `nowUs`, which resolves when it has them all.
 *
 * @param records - The first `count` of them are what will be appended.
 */
export async function followApart(
  directory: string,
  records: RecordSet,
  count: number,
  by: "records" | "batches",
): Promise<{ readonly done: Promise<Float64Array> }> {
  const program = new LibraryProgram("follower.mjs", directory, count, by);
  await program.next();
  return { done: checked() };

  async function checked() {
    const { seenAtUs, samples } = (await program.next()) as Found;
    for (const { index, value } of samples) records.check(index, value);
    return seenAtUs;
  }
}
