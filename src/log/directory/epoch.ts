import { join } from "node:path";
import { CorruptionError } from "../../errors.js";
import { LOG_METADATA_FILE } from "../../format/file-names.js";

/**
 * The epoch after `epoch`. No log ever comes near the last one, so one that has none left was
 * damaged, or forged; a greater number would leave metadata behind that nobody can read.
 *
 * @throws CorruptionError of the `log.meta` in `directory`.
 */
export function epochAfter(epoch: number, directory: string): number {
  if (epoch < Number.MAX_SAFE_INTEGER) return epoch + 1;
  throw new CorruptionError({
    file: join(directory, LOG_METADATA_FILE),
    position: 0,
    reason: `its epoch is ${epoch}, after which there is no other`,
  });
}
