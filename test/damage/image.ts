import {
  type DirectoryState,
  MemoryDisk,
  type MemoryNode,
  newDirectory,
  newFile,
} from "../support/memory-disk.js";
import { MemoryFileSystem, type MemoryFileSystemHooks } from "../support/memory-file-system.js";

/** Where a store lies on the disks of these tests. */
export const STORE = "/store";

/** What a directory holds: bytes by path, relative to it. Never changed in place. */
export type Image = ReadonlyMap<string, Uint8Array>;

/** The files under {@link STORE}, as programs see them now. */
export function imageOf(disk: MemoryDisk): Image {
  const files = new Map<string, Uint8Array>();
  const visit = (node: MemoryNode, path: string) => {
    if (node.state.kind === "file") files.set(path, node.state.seen);
    else for (const [name, child] of node.state.seen) visit(child, path ? `${path}/${name}` : name);
  };
  visit(disk.find(STORE)!, "");
  return new Map([...files].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A disk that holds an image under {@link STORE}, all of it on stable storage. */
export function diskOf(image: Image): MemoryDisk {
  const root = newDirectory();
  for (const [path, bytes] of image) {
    const names = `${STORE.slice(1)}/${path}`.split("/");
    const file = newFile();
    file.state = { kind: "file", durable: bytes, changes: [], seen: bytes };
    let directory = root;
    for (const name of names.slice(0, -1)) {
      directory = namesOf(directory).get(name) ?? addTo(directory, name, newDirectory());
    }
    addTo(directory, names.at(-1)!, file);
  }
  return new MemoryDisk(root);
}

function namesOf(directory: MemoryNode): Map<string, MemoryNode> {
  return (directory.state as DirectoryState).seen as Map<string, MemoryNode>;
}

function addTo(directory: MemoryNode, name: string, node: MemoryNode): MemoryNode {
  namesOf(directory).set(name, node);
  return node;
}

/** Whether two images hold the same files with the same bytes. */
export function isSameImage(one: Image, other: Image): boolean {
  if (one.size !== other.size) return false;
  for (const [path, bytes] of one) {
    const others = other.get(path);
    if (others === undefined || (others !== bytes && Buffer.compare(bytes, others) !== 0)) {
      return false;
    }
  }
  return true;
}

/** An image with one file changed, or without it. */
export function withFile(image: Image, path: string, bytes: Uint8Array | undefined): Image {
  const files = new Map(image);
  if (bytes === undefined) files.delete(path);
  else files.set(path, bytes);
  return files;
}

/** Nothing that is done to a small store takes more steps than this, unless it hangs. */
const MAX_STEPS = 5000;

/** A file system that ends what would go on for ever. */
export class BoundedFileSystem extends MemoryFileSystem {
  #steps = 0;

  constructor(image: Image, hooks: MemoryFileSystemHooks = {}) {
    super(diskOf(image), hooks);
  }

  /** Whether more was done than any operation needs. */
  get isExhausted(): boolean {
    return this.#steps > MAX_STEPS;
  }

  /** Begins to count anew, before the next operation. */
  rest(): void {
    if (!this.isExhausted) this.#steps = 0;
  }

  override runSync<T>(action: string, path: string, perform: () => T): T {
    this.#steps++;
    if (this.isExhausted) throw new Error(`${action} ${path}: step ${this.#steps}; it hangs`);
    return super.runSync(action, path, perform);
  }
}
