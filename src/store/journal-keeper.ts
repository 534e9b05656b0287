import { join } from "node:path";
import type { SeglogError } from "../errors.js";
import { JOURNAL_DIRECTORY, LOGS_DIRECTORY } from "../format/file-names.js";
import { journalName } from "../format/journal-key.js";
import { CommitLog } from "../log/commit-log.js";
import type { JournalOwner } from "../log/journal.js";
import { resolveLogOptions } from "../log/options.js";
import { forEachKey } from "./each-key.js";
import { assertKeyDirectory, keyPath, unfinishedPath } from "./store-files.js";
import type { StoreKeys } from "./store-keys.js";
import type { WritingContext } from "./writing-context.js";

/** What a store does for its journal, which knows of logs, but not of keys and their directories. */
export class JournalKeeper implements JournalOwner {
  readonly #context: WritingContext;
  readonly #keys: StoreKeys;

  constructor(context: WritingContext, keys: StoreKeys) {
    this.#context = context;
    this.#keys = keys;
  }

  async open(): ReturnType<JournalOwner["open"]> {
    const { environment, directory, storeId, session } = this.#context;
    const { onError } = this.#context.options;
    const segmentBytes = environment.journalSegmentBytes;
    const options = resolveLogOptions({ segmentBytes, onError }, []);
    const path = keyPath(directory, JOURNAL_DIRECTORY);
    await assertKeyDirectory(environment.fileSystem, path);
    const temporaryDirectory = unfinishedPath(directory, JOURNAL_DIRECTORY);
    const membership = { session, storeId, temporaryDirectory, journal: undefined };
    const log = await environment.pool.transient(() =>
      CommitLog.openForWriting(environment, path, options, membership),
    );
    const view = log.writer!;
    return { log, view, queue: view.queue };
  }

  /**
   * Opens the logs with these names that there are.
   *
   * @returns The names of those that are no more, if that can be told.
   */
  async openLogs(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const gone = new Set(names);
    let areAllKnown = true;
    await forEachKey(this.#keys.all(), async (key) => {
      const metadata = await this.#keys.metadataOf(key).catch(() => undefined);
      if (metadata === undefined) areAllKnown = false;
      else if (!gone.delete(journalName(metadata.logId))) return;
      // One that cannot be opened keeps what it has in the journal. While the store is being
      // closed, none can be.
      await this.#keys.existing(key).catch((error: SeglogError) => {
        if (!this.#keys.isClosed) this.onError(error);
      });
    });
    if (!areAllKnown || gone.size === 0) return new Set();
    // A deletion that is in the page cache alone may be undone: then its log still needs all of it.
    const { environment, directory } = this.#context;
    await environment.fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));
    return gone;
  }

  onError(error: SeglogError): void {
    this.#context.options.onError(error);
  }
}
