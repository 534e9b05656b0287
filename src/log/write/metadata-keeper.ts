import { isHandleShortage } from "../../files/file-errors.js";
import { type LogEnd, type LogMetadata, revise } from "../../format/log-metadata.js";
import { writeMetadata } from "../directory/log-files.js";
import type { LogEnvironment } from "../environment.js";
import type { ResolvedLogOptions } from "../options.js";
import type { LogFailures } from "./log-failures.js";

/** The file `log.meta` of a log that is open for writing. */
export class MetadataKeeper {
  readonly #environment: LogEnvironment;
  readonly #directory: string;
  readonly #isSynced: boolean;
  readonly #bootId: Uint8Array;
  readonly #failures: LogFailures;
  #now: LogMetadata;
  /** What it was when the log had been opened. */
  readonly openedRevision: number;

  constructor(
    environment: LogEnvironment,
    directory: string,
    { durability }: ResolvedLogOptions,
    bootId: Uint8Array,
    failures: LogFailures,
    opened: LogMetadata,
  ) {
    this.#environment = environment;
    this.#directory = directory;
    this.#isSynced = durability === "always";
    this.#bootId = bootId;
    this.#failures = failures;
    this.#now = opened;
    this.openedRevision = opened.revision;
  }

  /** What it says, but for what {@link noteTruncated} notes. */
  get now(): LogMetadata {
    return this.#now;
  }

  /**
   * Makes the marker of the last clean close void before anything is written.
   *
   * @param end - Up to which all is on stable storage.
   * @param hasProducers - Whether something of a producer is about to be written.
   */
  async beginSession(end: LogEnd, hasProducers = false): Promise<void> {
    if (!this.#now.clean && !hasProducers) return;
    await this.replace({
      clean: false,
      hasProducers: this.#now.hasProducers || hasProducers,
      bootId: this.#bootId,
      synced: this.#isSynced,
      end,
    });
  }

  /** A truncation is complete: the next time that the file is written, it goes without it. */
  noteTruncated(end: LogEnd): void {
    this.#now = { ...this.#now, truncation: undefined, end };
  }

  /**
   * @param onRenamed - Called when the new metadata has its name on disk.
   * @param onReplaced - Called in the same turn in which it begins to hold in memory.
   */
  async replace(
    changes: Partial<LogMetadata>,
    onRenamed?: () => void,
    onReplaced?: () => void,
  ): Promise<void> {
    const metadata = revise(this.#now, changes);
    let isRenamed = false;
    try {
      await this.#environment.pool.transient(() =>
        writeMetadata(this.#environment.fileSystem, this.#directory, metadata, () => {
          isRenamed = true;
          onRenamed?.();
        }),
      );
    } catch (error) {
      // Nobody knows which of the two a crash would leave. Where only a handle was lacking, no sync
      // has failed: both are true of the log, and the next replacement settles it.
      throw isRenamed && !isHandleShortage(error) ? this.#failures.poisonWith(error) : error;
    }
    this.#now = metadata;
    onReplaced?.();
  }
}
