import { join } from "node:path";
import { CorruptionError, SeglogError } from "../errors.js";
import { assertDirectoryKind } from "../files/directory-kind.js";
import { LOG_METADATA_FILE } from "../format/file-names.js";
import { decodeJournalKey } from "../format/journal-key.js";
import type { LogEnvironment } from "./environment.js";
import { iterateBatches } from "./iteration.js";
import { JournalIndex } from "./journal-index.js";
import { type FollowedJournal, LogFollower } from "./log-follower.js";
import type { LogView } from "./log-view.js";
import { MAX_ATTEMPTS } from "./polling.js";
import { SharedRounds } from "./shared-rounds.js";

/** The journal of a store that another process may be writing to, as the store's readers need it. */
export class JournalFollower implements FollowedJournal {
  readonly #environment: LogEnvironment;
  #directory: string;
  #index = new JournalIndex();
  #follower: LogFollower | undefined;
  /** Up to here, {@link index} knows it. */
  #indexedEnd = 0;
  #indexedStart = 0;
  readonly #looks = new SharedRounds(() => this.#look());

  /** @param directory - Of the journal's log; there need not be one yet. */
  constructor(environment: LogEnvironment, directory: string) {
    this.#environment = environment;
    this.#directory = directory;
  }

  get view(): LogView | undefined {
    return this.#follower;
  }

  get index(): JournalIndex {
    return this.#index;
  }

  refresh(): Promise<void> {
    return this.#looks.run();
  }

  async close(reason: SeglogError): Promise<void> {
    await this.#looks.done();
    await this.#follower?.close(reason);
  }

  async #look(): Promise<void> {
    const follower = this.#follower ?? (await this.#open());
    if (follower === undefined) return;
    for (let attempt = 1; ; attempt++) {
      try {
        await follower.refresh();
        await this.#readOn(follower);
        return;
      } catch (error) {
        if (!(error instanceof SeglogError)) throw error;
        if (error.code === "LOG_TRUNCATED") {
          this.#index = new JournalIndex();
          this.#indexedEnd = 0;
        } else if (error.code !== "OFFSET_OUT_OF_RANGE") {
          throw error;
        }
        if (attempt === MAX_ATTEMPTS) throw error;
        // What was about to be read has gone to the segments meanwhile.
      }
    }
  }

  async #readOn(follower: LogFollower): Promise<void> {
    const { startOffset, endOffset } = follower;
    if (endOffset < this.#indexedEnd) {
      // A writer lost what it had not acknowledged, and nobody could tell by the epoch.
      this.#index = new JournalIndex();
      this.#indexedEnd = 0;
    }
    if (startOffset > this.#indexedStart) this.#index.dropBefore(startOffset);
    this.#indexedStart = startOffset;
    const from = Math.max(this.#indexedEnd, startOffset);
    if (from === endOffset) return;
    for await (const batch of iterateBatches(follower, { from, to: endOffset })) {
      for (const { key: bytes, offset: place, timestamp } of batch) {
        const key = decodeJournalKey(bytes);
        if (key?.isMark) this.#index.forget(key.log);
        else if (key !== undefined) {
          const run = this.#index.runFor(key.log);
          this.#index.add(run, key.offset, place, timestamp, key.producer !== undefined);
        }
        this.#indexedEnd = place + 1;
      }
    }
  }

  async #open(): Promise<LogFollower | undefined> {
    const { fileSystem } = this.#environment;
    const kind = await fileSystem.kindOf(this.#directory);
    if (kind === undefined) return undefined;
    assertDirectoryKind(this.#directory, kind);
    // Names are joined to it from here on, which takes `..` away: what lies above a symbolic link
    // to a log is not what the log lies in.
    this.#directory = await fileSystem.realPath(this.#directory);
    // The directory gets its name when all of it is there.
    const path = join(this.#directory, LOG_METADATA_FILE);
    if ((await fileSystem.kindOf(path)) === undefined) {
      throw new CorruptionError({ file: path, position: 0, reason: "log.meta is missing" });
    }
    this.#follower = await LogFollower.open(this.#environment, this.#directory, 4096, undefined);
    return this.#follower;
  }
}
