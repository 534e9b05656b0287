import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { FaultyFileSystem } from "./faulty-file-system.js";

const JOURNAL = /\/\.journal\/\d+\.log$/;

/** How a test fills a store whose logs write to the journal first, whenever they can. */
export interface JournaledSetting {
  readonly count: number;
  readonly now?: () => number;
  /** What else happens before the process dies. */
  readonly use?: (store: LogStore) => Promise<unknown>;
}

/**
 * Leaves what a process that was killed leaves: of each key `count` records, `a 0`, `a 1` and so
 * on, that its segments lack; of `warm-up`, a few in its segment and the last ones in the journal.
 */
export async function leaveJournaled(
  directory: string,
  keys: readonly string[],
  { count, now, use }: JournaledSetting,
): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const environment = { ...createEnvironment(fileSystem, undefined, now), journalFrom: 0 };
  const store = await LogStore.openOn(environment, directory);
  // Until there is a journal, logs write to their own segments.
  while (fileSystem.countOf("write", JOURNAL) < 2) await store.append("warm-up", "");
  for (const key of keys) {
    for (let index = 0; index < count; index++) await store.append(key, `${key} ${index}`);
  }
  await use?.(store);
  await fileSystem.die();
  await store.close().catch(() => undefined);
}
