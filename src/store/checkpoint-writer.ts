import { join } from "node:path";
import { SeglogError } from "../errors.js";
import { replaceFile } from "../files/atomic-file.js";
import { isHandleShortage } from "../files/file-errors.js";
import type { FileSystem, OpenFile } from "../files/file-system.js";
import { writeFully } from "../files/whole-file.js";
import { type CheckpointEntry, encodeFrame, frameChecksum } from "../format/checkpoint-frame.js";
import { CHECKPOINT_FILE } from "../format/file-names.js";
import { keepDamagedCheckpoint, type LoadedCheckpoint, type Snapshot } from "./checkpoint-file.js";

/** A checkpoint shorter than this is not worth rewriting. */
const MIN_REWRITE_BYTES = 64 * 1024;
/** The file is rewritten when it is this many times as long as its last snapshot. */
const REWRITE_FACTOR = 4;

/**
 * The checkpoint file of a store as one session writes it: a snapshot, and behind it a frame for
 * each change. One call at a time: it does not queue them.
 *
 * The first change of a session writes a snapshot to a new file: what an earlier process left
 * behind may be torn, or be in the page cache and nowhere else. A failure after which nobody knows
 * what the disk holds is for good; only another session goes on.
 */
export class CheckpointWriter {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #takeSnapshot: () => Snapshot;
  /** What an earlier session left, until a snapshot has taken its name. */
  #loaded: LoadedCheckpoint | undefined;
  /** The snapshot of this session and what was appended to it. */
  #file: OpenFile | undefined;
  #endPosition = 0;
  #snapshotBytes = 0;
  /** What the next frame's checksum starts from. */
  #checksum = 0;
  #isUnsynced = false;
  /** Whether a snapshot has taken the file's name and that is not known to be durable. */
  #isNameUnsynced = false;
  #poison: SeglogError | undefined;

  /**
   * @param directory - Of the store.
   * @param takeSnapshot - Encodes all that was written so far.
   */
  constructor(
    fileSystem: FileSystem,
    directory: string,
    loaded: LoadedCheckpoint,
    takeSnapshot: () => Snapshot,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#loaded = loaded;
    this.#takeSnapshot = takeSnapshot;
  }

  /** Whether something was written, or begun to be, and not synced since. */
  get isUnsynced(): boolean {
    return this.#isUnsynced;
  }

  /** Whether the file is several times as long as it needs to be. */
  get isOvergrown(): boolean {
    return this.#endPosition > Math.max(MIN_REWRITE_BYTES, REWRITE_FACTOR * this.#snapshotBytes);
  }

  /**
   * Writes lists of entries, each of them whole or, after a crash, not at all.
   *
   * @param mustSync - Whether all that was ever written has to be on stable storage on return.
   * @throws SeglogError `NO_SPACE`, `TOO_MANY_OPEN_FILES` if nothing was changed; `LOG_POISONED`.
   */
  async write(changes: readonly (readonly CheckpointEntry[])[], mustSync: boolean): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    if (changes.length > 0 || (mustSync && this.#isNameUnsynced)) {
      const file = this.#file ?? (await this.#replace());
      if (changes.length > 0) await this.#append(file, changes);
    }
    if (this.#isUnsynced && mustSync) await this.#sync();
  }

  /**
   * Replaces the file by a snapshot, which is on stable storage when this resolves.
   *
   * @throws As {@link write}.
   */
  async rewrite(): Promise<void> {
    await this.#replace();
  }

  /** Lets go of the file, with no sync. To be called last. */
  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Writes a frame for each list of entries, or leaves the file as it was. */
  async #append(file: OpenFile, changes: readonly (readonly CheckpointEntry[])[]): Promise<void> {
    let checksum = this.#checksum;
    const frames = changes.map((entries) => {
      const frame = encodeFrame(entries, checksum);
      checksum = frameChecksum(frame);
      return frame;
    });
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    try {
      this.#isUnsynced = true;
      await writeFully(file, bytes, this.#endPosition);
    } catch (error) {
      if (!(error instanceof SeglogError) || error.code !== "NO_SPACE") throw this.#fail(error);
      try {
        await file.truncate(this.#endPosition);
      } catch (second) {
        throw this.#fail(second);
      }
      throw error;
    }
    this.#checksum = checksum;
    this.#endPosition += bytes.length;
  }

  async #sync(): Promise<void> {
    try {
      this.#isUnsynced = false;
      await this.#file?.datasync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #replace(): Promise<OpenFile> {
    const fileSystem = this.#fileSystem;
    if (this.#loaded?.damage !== undefined) {
      await keepDamagedCheckpoint(fileSystem, this.#directory, this.#loaded);
    }
    // Set from the moment that the old file has no name any more: nothing written to it counts.
    let replaced: { readonly file: OpenFile | undefined } | undefined;
    let isDurable = false;
    try {
      const path = join(this.#directory, CHECKPOINT_FILE);
      const onRenamed = () => {
        replaced = { file: this.#file };
        this.#file = undefined;
        // Kept aside by now; another attempt would keep the snapshot in its place.
        this.#loaded = undefined;
        this.#isNameUnsynced = true;
      };
      const { bytes, checksum } = this.#takeSnapshot();
      await replaceFile(fileSystem, path, bytes, onRenamed);
      isDurable = true;
      this.#isNameUnsynced = false;
      this.#endPosition = bytes.length;
      this.#snapshotBytes = bytes.length;
      this.#checksum = checksum;
      this.#isUnsynced = false;
      // Without a handle the next change makes another snapshot.
      this.#file = await fileSystem.open(path, "update");
      return this.#file;
    } catch (error) {
      // Without a handle no sync of the directory was tried, so the next one can be believed.
      const isRetryable =
        isHandleShortage(error) ||
        ((replaced === undefined || isDurable) &&
          error instanceof SeglogError &&
          error.code === "NO_SPACE");
      throw isRetryable ? error : this.#fail(error);
    } finally {
      // All that it held is in the snapshot.
      await replaced?.file?.close().catch(() => undefined);
    }
  }

  #fail(cause: unknown): SeglogError {
    this.#poison ??= new SeglogError(
      "LOG_POISONED",
      `${join(this.#directory, CHECKPOINT_FILE)} takes no more commits: ` +
        `${(cause as Error).message} Close the store and open it again.`,
      { cause },
    );
    return this.#poison;
  }
}
