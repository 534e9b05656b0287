import { join } from "node:path";
import { hasSystemCode } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import { LOG_METADATA_FILE } from "../format/file-names.js";
import type { Segment } from "../segment/segment.js";
import type { LogEnvironment } from "./environment.js";
import type { Journal } from "./journal.js";
import {
  assertMayCreate,
  assertOwner,
  createLog,
  createLogDirectory,
  makeDirectories,
  syncParent,
} from "./log-creation.js";
import { listLog, readMetadata } from "./log-files.js";
import { LogWriter } from "./log-writer.js";
import type { OpenedLog } from "./opened-log.js";
import type { ResolvedLogOptions } from "./options.js";
import type { OpenedEpoch } from "./producers.js";
import { type RecoveredLog, type RecoveryContext, recoverLog } from "./recovery.js";
import { WriterSession } from "./writer-session.js";

/** How a log inside of a store is opened. */
export interface Membership {
  readonly session: WriterSession;
  readonly storeId: Uint8Array;
  /** Where a new log's directory is filled before it gets its name. */
  readonly temporaryDirectory: string;
  /** Called after a truncation, before the log takes another append. */
  readonly onTruncated?: (endOffset: number) => Promise<void>;
  /** What the logs of the store share, if this is not the journal itself. */
  readonly journal: Journal | undefined;
  readonly openedEpoch?: OpenedEpoch;
}

/**
 * Opens a log for writing: brings it in order after a crash, makes it where there is none.
 *
 * @param membership - Of a log of a store, which has the lock then.
 * @throws As `CommitLog.open`.
 */
export async function openForWriting(
  environment: LogEnvironment,
  directory: string,
  options: ResolvedLogOptions,
  membership: Membership | undefined,
): Promise<OpenedLog> {
  const startedAt = performance.now();
  const isThere = await prepareDirectory(environment, directory, membership);
  const session = membership?.session ?? (await WriterSession.open(environment, directory));
  const opened: Segment[] = [];
  try {
    const { bootId } = session;
    const context: RecoveryContext = {
      environment,
      directory,
      options,
      bootId,
      lastPublished: (logId) => session.lastPublished(logId),
      judgeTruncation: (logId, bound) =>
        membership?.journal?.judgeTruncation(directory, logId, bound),
      opened,
    };
    const recovered = await recoverOrCreate(context, isThere, membership);
    const { logId } = recovered.metadata;
    // Timestamps go on from those of the records that stand in the journal yet.
    const maxTimestamp = Math.max(
      recovered.end.maxTimestamp,
      membership?.journal?.judge(directory, logId, recovered.end.endOffset) ?? 0,
    );
    const writer = new LogWriter({
      environment,
      directory,
      options,
      recovered: { ...recovered, end: { ...recovered.end, maxTimestamp } },
      published: session.register(logId),
      bootId,
      onTruncated: membership?.onTruncated,
      journal: membership?.journal,
      openedEpoch: membership?.openedEpoch ?? (() => undefined),
      isJournal: membership !== undefined && membership.journal === undefined,
    });
    const recovery = { ...recovered.report, durationMs: performance.now() - startedAt };
    const release = async (isInOrder: boolean) => {
      if (membership === undefined) await session.close(isInOrder);
    };
    return { view: writer, writer, recovery, release };
  } catch (error) {
    // Why the log cannot be opened is what counts, not what fails after that.
    for (const segment of opened) await segment.file.close().catch(() => undefined);
    if (membership === undefined) await session.close(false).catch(() => undefined);
    throw error;
  }
}

/**
 * Makes sure that the directory holds a log of this owner, or may take one.
 *
 * @returns Whether there is a log already.
 */
async function prepareDirectory(
  environment: LogEnvironment,
  directory: string,
  membership: Membership | undefined,
): Promise<boolean> {
  const { fileSystem } = environment;
  // A log of many segments is listed once: when no other writer can change it.
  if (await hasMetadata(fileSystem, directory)) {
    assertOwner(directory, await readMetadata(fileSystem, directory), membership?.storeId);
    return true;
  }
  const before = await listLog(fileSystem, directory);
  const isOfStore = membership !== undefined;
  // Another writer may have made it meanwhile.
  if (before?.hasMetadata === false)
    await assertMayCreate(environment, directory, before, isOfStore);
  if (membership === undefined) await makeDirectories(fileSystem, directory);
  return false;
}

/** @param wasThere - Whether there was a log before other writers were kept out. */
async function recoverOrCreate(
  context: RecoveryContext,
  wasThere: boolean,
  membership: Membership | undefined,
): Promise<RecoveredLog> {
  const { directory } = context;
  const { fileSystem } = context.environment;
  // Somebody may have moved it here, or died before its name was durable.
  if (wasThere) await syncParent(fileSystem, directory);
  const listing = await listLog(fileSystem, directory);
  if (listing?.hasMetadata === true) {
    if (!wasThere) {
      assertOwner(directory, await readMetadata(fileSystem, directory), membership?.storeId);
    }
    return recoverLog(context, listing);
  }
  return membership === undefined
    ? createLog(context)
    : createLogDirectory(context, membership.storeId, membership.temporaryDirectory);
}

/** Whether there is a log already, as far as a look at one name tells. */
async function hasMetadata(fileSystem: FileSystem, directory: string): Promise<boolean> {
  try {
    return (await fileSystem.kindOf(join(directory, LOG_METADATA_FILE))) !== undefined;
  } catch (error) {
    // The directory is a file; whoever lists it says so.
    if (hasSystemCode(error, "ENOTDIR")) return false;
    throw error;
  }
}
