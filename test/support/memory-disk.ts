/** Something that was done to a file's content since the disk last had all of it. */
export type FileChange =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly length: number };

/** A name that was given to a node, or taken from whatever had it. */
export type NameChange = readonly [name: string, node: MemoryNode | undefined];

/** Names that one operation changed: two for a rename. */
export type DirectoryChange = readonly NameChange[];

/**
 * A file in three states at once: what the disk holds for certain, what was done since, and what
 * programs see. Values are never changed in place, so an image of them is cheap.
 */
export interface FileState {
  readonly kind: "file";
  /** On stable storage. */
  readonly durable: Uint8Array;
  /** What the next sync would store, the oldest first. */
  readonly changes: readonly FileChange[];
  /** In the page cache; after a failed sync it has more than `durable` and `changes` make. */
  readonly seen: Uint8Array;
}

/** A directory, likewise. */
export interface DirectoryState {
  readonly kind: "directory";
  readonly durable: ReadonlyMap<string, MemoryNode>;
  readonly changes: readonly DirectoryChange[];
  readonly seen: ReadonlyMap<string, MemoryNode>;
}

/** A file or directory by itself, whatever its names. */
export class MemoryNode {
  state: FileState | DirectoryState;
  /** Open files that hold a lock on it. */
  readonly lockHolders = new Set<object>();
  isLockedExclusively = false;

  constructor(state: FileState | DirectoryState) {
    this.state = state;
  }
}

/** The states of all nodes at one moment. */
export interface DiskImage {
  readonly root: MemoryNode;
  readonly states: ReadonlyMap<MemoryNode, FileState | DirectoryState>;
}

const EMPTY = new Uint8Array(0);

/** A disk with its cache, in memory. */
export class MemoryDisk {
  readonly root: MemoryNode;

  constructor(root: MemoryNode = newDirectory()) {
    this.root = root;
  }

  /** What is at an absolute path. */
  find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      if (node?.state.kind !== "directory") return undefined;
      node = node.state.seen.get(name);
    }
    return node;
  }

  /** Everything as it is now: of all nodes that have a name, or may have one after a crash. */
  capture(): DiskImage {
    const states = new Map<MemoryNode, FileState | DirectoryState>();
    const visit = (node: MemoryNode) => {
      if (states.has(node)) return;
      const { state } = node;
      states.set(node, state);
      if (state.kind === "file") return;
      for (const child of state.durable.values()) visit(child);
      for (const change of state.changes) {
        for (const [, child] of change) if (child !== undefined) visit(child);
      }
      for (const child of state.seen.values()) visit(child);
    };
    visit(this.root);
    return { root: this.root, states };
  }

  /**
   * Another disk that goes on from an image.
   *
   * @param choose - What is left of each file and directory, of the same kind.
   */
  static from(
    image: DiskImage,
    choose: (state: FileState | DirectoryState) => FileState | DirectoryState,
  ): MemoryDisk {
    const made = new Map<MemoryNode, MemoryNode>();
    const make = (node: MemoryNode): MemoryNode => {
      const before = made.get(node);
      if (before !== undefined) return before;
      const state = choose(image.states.get(node)!);
      const copy = new MemoryNode(state);
      made.set(node, copy);
      if (state.kind === "directory") {
        const others = (names: ReadonlyMap<string, MemoryNode>) =>
          new Map([...names].map(([name, child]) => [name, make(child)]));
        const durable = others(state.durable);
        copy.state = {
          kind: "directory",
          durable,
          seen: state.seen === state.durable ? durable : others(state.seen),
          changes: state.changes.map((change) =>
            change.map(([name, child]) => [name, child && make(child)] as const),
          ),
        };
      }
      return copy;
    };
    return new MemoryDisk(make(image.root));
  }
}

export function newFile(): MemoryNode {
  return new MemoryNode({ kind: "file", durable: EMPTY, changes: [], seen: EMPTY });
}

export function newDirectory(): MemoryNode {
  const names: ReadonlyMap<string, MemoryNode> = new Map();
  return new MemoryNode({ kind: "directory", durable: names, changes: [], seen: names });
}

/** A file's content after a change; a hole reads as zeros. */
export function changedContent(content: Uint8Array, change: FileChange): Uint8Array {
  if (change.kind === "truncate") return resized(content, change.length);
  const { position, bytes } = change;
  const result = resized(content, Math.max(content.length, position + bytes.length));
  result.set(bytes, position);
  return result;
}

/** A copy of the first `length` bytes, with zeros behind them if there are fewer. */
export function resized(content: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(length < content.length ? content.subarray(0, length) : content);
  return result;
}

/** A directory's names after changes of some of them. */
export function changedNames(
  names: ReadonlyMap<string, MemoryNode>,
  changes: DirectoryChange,
): ReadonlyMap<string, MemoryNode> {
  const result = new Map(names);
  for (const [name, node] of changes) {
    if (node === undefined) result.delete(name);
    else result.set(name, node);
  }
  return result;
}

/** What {@link MemoryDisk.from} leaves of a file or directory of which nothing unsynced was stored. */
export function syncedOnly(state: FileState | DirectoryState): FileState | DirectoryState {
  return state.kind === "file"
    ? { ...state, seen: state.durable, changes: [] }
    : { ...state, seen: state.durable, changes: [] };
}
