import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { atExit } from "./clean-up.js";
import { command } from "./command.js";

/** The file systems whose power can be cut. */
export type FileSystemKind = "xfs" | "ext4";

const MIB = 1024 * 1024;
/** Room for all that the lives of a store write. The image is sparse: it takes what is written. */
const IMAGE_BYTES = 1024 * MIB;

/** A file system of its own in a file, mounted through a loop device. */
export class MountedImage {
  readonly kind: FileSystemKind;
  /** Where it is mounted. */
  readonly directory: string;
  readonly #image: string;
  readonly #device: string;
  readonly #forget: () => void;
  #isMounted = false;

  /** Makes and mounts one; its files are in `parent`. */
  constructor(kind: FileSystemKind, parent: string) {
    this.kind = kind;
    this.directory = join(parent, `${kind}.mount`);
    this.#image = join(parent, `${kind}.image`);
    mkdirSync(this.directory, { recursive: true });
    rmSync(this.#image, { force: true });
    command("truncate", `--size=${IMAGE_BYTES}`, this.#image);
    command(`mkfs.${kind}`, "-q", ...(kind === "xfs" ? ["-K"] : ["-F"]), this.#image);
    this.#device = command("losetup", "--find", "--show", this.#image);
    this.#forget = atExit(() => {
      // Lazily: a process that was just killed may not have let go of it yet.
      if (this.#isMounted) command("umount", "--lazy", this.directory);
      command("losetup", "--detach", this.#device);
    });
    this.#mount();
  }

  /**
   * Cuts it off: from now on nothing reaches the disk, and all calls fail.
   *
   * @param flushesJournal - Writes what the file system's own journal holds first.
   */
  cutPower(flushesJournal: boolean): void {
    const shutdown = flushesJournal ? "shutdown -f" : "shutdown";
    command("xfs_io", "-x", "-c", shutdown, this.directory);
  }

  /** Forgets all that is in memory and lets the journal be replayed. No process may use it. */
  remount(): void {
    this.#unmount();
    this.#mount();
  }

  /** Gives everything back, the image too unless `keeps`; returns the image's path. */
  remove(keeps: boolean): string {
    if (this.#isMounted) this.#unmount();
    command("losetup", "--detach", this.#device);
    this.#forget();
    rmSync(this.directory, { recursive: true });
    if (!keeps) rmSync(this.#image);
    return this.#image;
  }

  #mount(): void {
    command("mount", this.#device, this.directory);
    this.#isMounted = true;
  }

  #unmount(): void {
    command("umount", this.directory);
    this.#isMounted = false;
  }
}
