import { SeglogError, type SeglogErrorCode } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { encodeKey } from "../../src/store/key-directory.js";
import { LogStore } from "../../src/store/log-store.js";
import type { MemoryFileSystem } from "../support/memory-file-system.js";
import type { FoundLog } from "./log-history.js";
import type { Setting } from "./setting.js";

/** Where the log or store is, on its disk. */
const DIRECTORY = "/home/data";
/** The consumer groups of a store. */
export const GROUPS = ["g", "h"] as const;

const LOG_KEY = "log";
const NOTHING_THERE: ReadonlySet<SeglogErrorCode> = new Set(["NOT_A_LOG", "NOT_A_STORE"]);

/** What a crashed log or store was found to hold. */
export interface Found {
  readonly logs: ReadonlyMap<string, FoundLog>;
  /** Committed offsets by {@link commitId}. */
  readonly committed: ReadonlyMap<string, number>;
}

/** Names what a group has committed of a key. */
export function commitId(group: string, key: string): string {
  return `${group} of ${key}`;
}

/** Where the files of a key's log are. */
export function directoryOf(setting: Setting, key: string): string {
  return setting.kind === "log" ? DIRECTORY : `${DIRECTORY}/logs/${encodeKey(key)}`;
}

/** A log, or a store, that is open: the same to the steps of a life. */
export class Subject {
  readonly #open: CommitLog | LogStore;

  private constructor(open: CommitLog | LogStore) {
    this.#open = open;
  }

  static async open(
    setting: Setting,
    fileSystem: MemoryFileSystem,
    now: () => number,
  ): Promise<Subject> {
    const environment = {
      ...createEnvironment(fileSystem, setting.maxOpenFiles, now),
      ...setting.environment,
    };
    const open =
      setting.kind === "log"
        ? await CommitLog.openOn(environment, DIRECTORY, setting.options)
        : await LogStore.openOn(environment, DIRECTORY, setting.options);
    return new Subject(open);
  }

  /** As a reader opens it that changes nothing; `undefined` if there is nothing to open yet. */
  static async openToRead(
    setting: Setting,
    fileSystem: MemoryFileSystem,
  ): Promise<Subject | undefined> {
    const environment = createEnvironment(fileSystem, setting.maxOpenFiles);
    try {
      const open =
        setting.kind === "log"
          ? await CommitLog.openOn(environment, DIRECTORY, { readOnly: true })
          : await LogStore.openOn(environment, DIRECTORY, { readOnly: true });
      return new Subject(open);
    } catch (error) {
      if (error instanceof SeglogError && NOTHING_THERE.has(error.code)) return undefined;
      throw error;
    }
  }

  /** `undefined` for a log by itself. */
  get store(): LogStore | undefined {
    return this.#open instanceof LogStore ? this.#open : undefined;
  }

  keys(): string[] {
    return this.store?.keys() ?? [LOG_KEY];
  }

  /** The log of a key; a store makes it if there is none. */
  async log(key: string): Promise<CommitLog> {
    return this.#open instanceof LogStore ? this.#open.log(key) : this.#open;
  }

  async flush(): Promise<void> {
    await this.#open.flush();
  }

  async close(): Promise<void> {
    await this.#open.close();
  }

  /** Everything that it holds, through whatever reads it. */
  async read(): Promise<Found> {
    const logs = new Map<string, FoundLog>();
    for (const key of this.keys()) logs.set(key, await readLog(await this.log(key)));
    const committed = new Map<string, number>();
    for (const group of this.store === undefined ? [] : GROUPS) {
      const offsets = await this.store!.group(group).committed();
      for (const [key, next] of offsets) committed.set(commitId(group, key), next);
    }
    return { logs, committed };
  }
}

/** The damage that the verifier finds in the logs of `keys`, as far as they are there. */
export async function verifyLogs(
  setting: Setting,
  fileSystem: MemoryFileSystem,
  keys: Iterable<string>,
): Promise<string[]> {
  const environment = createEnvironment(fileSystem);
  const said: string[] = [];
  for (const key of keys) {
    try {
      const { findings } = await verifyLog(environment, directoryOf(setting, key));
      for (const { level, file, message } of findings) {
        if (level === "damage") said.push(`${file}: ${message}`);
      }
    } catch (error) {
      if (!(error instanceof SeglogError && error.code === "NOT_A_LOG")) throw error;
    }
  }
  return said;
}

const decoder = new TextDecoder();

/** All that a log holds, by scan, by offset and by time. */
export async function readLog(log: CommitLog): Promise<FoundLog> {
  const { startOffset, endOffset, epoch } = log;
  const values: string[] = [];
  const timestamps: number[] = [];
  for await (const batch of log.batches()) {
    for (const { offset, value, timestamp } of batch) {
      if (offset !== startOffset + values.length) throw new Error(`offset ${offset} is misplaced`);
      values.push(decoder.decode(value));
      timestamps.push(timestamp);
    }
  }
  // Through the indexes: one record at each end and one between, and one found by its time.
  for (const index of [0, values.length >> 1, values.length - 1]) {
    if (values.length === 0) break;
    const { value } = log.readSync(startOffset + index);
    if (decoder.decode(value) !== values[index]) throw new Error("readSync reads another record");
    const timestamp = timestamps[index]!;
    const offset = await log.offsetForTimestamp(timestamp);
    if (offset !== startOffset + timestamps.findIndex((each) => each >= timestamp)) {
      throw new Error(`offsetForTimestamp(${timestamp}) is ${offset}`);
    }
  }
  return { startOffset, endOffset, epoch, values };
}
