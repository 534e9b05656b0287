import { LibraryProgram } from "./library-program.js";
import type { RecordSet } from "./record-set.js";

/** Fills a log in another process, so that this one has nothing left of it in its memory. */
export async function fillApart(
  directory: string,
  records: RecordSet,
  count: number,
  batchLength: number,
): Promise<void> {
  const program = new LibraryProgram("filler.mjs", directory, count, batchLength);
  const filled = program.next();
  program.tell(records.all);
  await filled;
}
