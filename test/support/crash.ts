import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { FaultyFileSystem } from "./faulty-file-system.js";

/** A boot id that is not this machine's: an open under it comes after a power cut. */
export const OTHER_BOOT = new Uint8Array(16).fill(7);

/** A file system whose machine has been started anew. */
export function afterPowerCut(): FaultyFileSystem {
  const fileSystem = new FaultyFileSystem();
  fileSystem.machine = OTHER_BOOT;
  return fileSystem;
}

/**
 * Opens a log, lets `use` work with it, and kills its process: nothing is synced, marked or closed
 * after `use` is done, and the lock is gone.
 */
export async function leaveUnclean(
  directory: string,
  options: OpenLogOptions,
  use: (log: CommitLog) => Promise<unknown>,
  fileSystem = new FaultyFileSystem(),
): Promise<void> {
  const log = await CommitLog.openOn(createEnvironment(fileSystem), directory, options);
  await use(log);
  await kill(log, fileSystem);
}

/** Kills the process that has `log` open on `fileSystem`. */
export async function kill(log: CommitLog, fileSystem: FaultyFileSystem): Promise<void> {
  await fileSystem.die();
  // Stops its timers; it can no longer do anything else.
  await log.close().catch(() => undefined);
}
