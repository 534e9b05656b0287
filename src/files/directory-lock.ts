import { join } from "node:path";
import { SeglogError } from "../errors.js";
import { LOCK_FILE } from "../format/file-names.js";
import { noProgress } from "./file-errors.js";
import type { FileSystem, OpenFile } from "./file-system.js";
import { readFully } from "./whole-file.js";

/** Room for a process id in decimal. */
const PROCESS_ID_BYTES = 20;

/**
 * Keeps a second writer out of a directory: an advisory lock of the operating system on the file
 * `LOCK`, which is gone when its process is, however it ends. The file stays; only the lock on it
 * means something.
 */
export class DirectoryLock {
  readonly #file: OpenFile;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /**
   * Takes the lock at once or fails.
   *
   * @throws SeglogError `LOCKED`, with the holder's process id.
   */
  static async acquire(fileSystem: FileSystem, directory: string): Promise<DirectoryLock> {
    const file = await fileSystem.open(join(directory, LOCK_FILE), "open-or-create");
    try {
      if (!file.tryLock("exclusive")) throw await lockedBy(file, directory);
      // For people and for the message above; the lock does not depend on it. It is written in one
      // piece before anybody else has a turn, over all that an earlier holder may have written: who
      // is refused in this moment must not be sent to a process that is gone.
      const note = `${process.pid}\n`;
      const written = file.writeSync(Buffer.from(note.padEnd(PROCESS_ID_BYTES)), 0);
      if (written < note.length) throw noProgress(file.path);
      await file.truncate(note.length);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new DirectoryLock(file);
  }

  release(): Promise<void> {
    return this.#file.close();
  }
}

async function lockedBy(file: OpenFile, directory: string): Promise<SeglogError> {
  const bytes = new Uint8Array(PROCESS_ID_BYTES);
  const length = await readFully(file, bytes, 0);
  const text = Buffer.from(bytes.buffer, 0, length).toString("latin1").trim();
  const holder = /^[0-9]+$/.test(text) ? `process ${text}` : "another process";
  return new SeglogError(
    "LOCKED",
    `${directory} is open for writing in ${holder}. ` +
      "Close it there, or open it here with { readOnly: true }.",
  );
}
