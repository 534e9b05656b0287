import { JOURNAL_DIRECTORY } from "../format/file-names.js";
import { closedError } from "./closed-error.js";
import type { LogEnvironment } from "./environment.js";
import { JournalFollower } from "./journal-follower.js";
import { assertMayCreate } from "./log-creation.js";
import { listLog, readMetadata } from "./log-files.js";
import { LogFollower, notALog } from "./log-follower.js";
import type { OpenedLog } from "./opened-log.js";
import type { ResolvedLogOptions } from "./options.js";

/**
 * Opens a log without a lock, and without writing anything.
 *
 * @param storesJournal - Of the store through which it is opened, which closes it.
 * @throws SeglogError `NOT_A_LOG` and the others of `CommitLog.open`, but for `LOCKED`.
 */
export async function openForReading(
  environment: LogEnvironment,
  directory: string,
  options: ResolvedLogOptions,
  isOfStore: boolean,
  storesJournal?: JournalFollower,
): Promise<OpenedLog> {
  const startedAt = performance.now();
  const { fileSystem } = environment;
  let listing = await listLog(fileSystem, directory);
  // The writer of a store may have taken the directory away, and emptied it, amid the listing.
  if (isOfStore && listing?.hasMetadata === false) listing = await listLog(fileSystem, directory);
  if (listing?.hasMetadata !== true) {
    if (listing !== undefined) await assertMayCreate(environment, directory, listing, isOfStore);
    throw notALog(directory);
  }
  const ownJournal =
    storesJournal === undefined ? await journalBeside(environment, directory) : undefined;
  const reason = closedError(directory);
  try {
    const { indexIntervalBytes } = options;
    const journal = storesJournal ?? ownJournal;
    const follower = await LogFollower.open(environment, directory, indexIntervalBytes, journal);
    const recovery = { ...follower.report, durationMs: performance.now() - startedAt };
    const release = async () => {
      await follower.close(reason);
      await ownJournal?.close(reason);
    };
    return { view: follower, writer: undefined, recovery, release };
  } catch (error) {
    await ownJournal?.close(reason);
    throw error;
  }
}

/** The journal of the store that a log belongs to, if it does. */
async function journalBeside(
  { fileSystem, ...rest }: LogEnvironment,
  directory: string,
): Promise<JournalFollower | undefined> {
  const { storeId } = await readMetadata(fileSystem, directory);
  // No name is joined to the directory, which would take `..` away: it may be a symbolic link.
  const path = `${directory}/../${JOURNAL_DIRECTORY}`;
  return storeId && new JournalFollower({ fileSystem, ...rest }, path);
}
