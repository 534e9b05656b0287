import { SeglogError } from "../errors.js";
import { JOURNAL_DIRECTORY } from "../format/file-names.js";
import { CommitLog } from "../log/commit-log.js";
import type { LogEnvironment } from "../log/environment.js";
import { JournalFollower } from "../log/journal-follower.js";
import type { ResolvedLogOptions } from "../log/options.js";
import { loadCheckpoint } from "./checkpoint-file.js";
import { FollowedOffsets } from "./followed-offsets.js";
import { storeClosed } from "./store-failures.js";
import {
  assertMayCreateStore,
  keyPath,
  listKeys,
  listStore,
  readStoreMetadata,
} from "./store-files.js";
import { StoreKeys } from "./store-keys.js";
import type { StoreRecoveryReport, StoreView } from "./store-view.js";

/**
 * A store that this process only reads, while another one may be writing it. It takes no lock and
 * changes nothing.
 */
export class StoreFollower implements StoreView {
  readonly recovery: StoreRecoveryReport;
  readonly keys: StoreKeys;
  readonly offsets: FollowedOffsets;
  readonly #directory: string;
  readonly #journal: JournalFollower;

  private constructor(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
    storeId: Uint8Array,
    keys: readonly string[],
    checkpointDamage: string | undefined,
  ) {
    const { fileSystem } = environment;
    const journal = new JournalFollower(environment, keyPath(directory, JOURNAL_DIRECTORY));
    const openLog = (_: string, name: string) =>
      CommitLog.openForReading(environment, keyPath(directory, name), options, true, journal);
    this.recovery = { created: false, deletedKeys: [], checkpointDamage };
    this.keys = new StoreKeys({ fileSystem, directory, keys, isFollowed: true, openLog });
    this.offsets = new FollowedOffsets(fileSystem, directory, storeId, this.keys);
    this.#directory = directory;
    this.#journal = journal;
  }

  /** @throws SeglogError `NOT_A_STORE` if there is none; as `LogStore.open`. */
  static async open(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
  ): Promise<StoreFollower> {
    const { fileSystem } = environment;
    const listing = await listStore(fileSystem, directory);
    if (listing?.hasMetadata !== true) {
      if (listing !== undefined) assertMayCreateStore(directory, listing);
      throw new SeglogError("NOT_A_STORE", `${directory} holds no store. Check the path.`);
    }
    const { storeId } = await readStoreMetadata(fileSystem, directory);
    const { keys } = await listKeys(fileSystem, directory);
    const { damage } = await loadCheckpoint(fileSystem, directory, storeId);
    return new StoreFollower(environment, directory, options, storeId, keys, damage);
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    await this.keys.close().catch(note);
    await this.#journal.close(storeClosed(this.#directory)).catch(note);
    if (failures.length > 0) throw failures[0];
  }
}
