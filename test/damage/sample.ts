import type { LogRecord, RecordFields } from "../../src/format/record.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore, type StoreOptions } from "../../src/store/log-store.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";
import { diskOf, type Image, imageOf, STORE } from "./image.js";

/** Short segments, short blocks, an index entry for each. */
const SMALL: StoreOptions = { segmentBytes: 420, blockBytes: 256, indexIntervalBytes: 64 };
/** How the damaged stores are opened for writing. */
export const OPTIONS: StoreOptions = { ...SMALL, compression: "lz4" };
const FIRST_TIMESTAMP = 1_700_000_000_000;

/** What a log must give: exactly these records, which are those of [start, end). */
export interface LogTruth {
  readonly startOffset: number;
  readonly endOffset: number;
  /** By offset; those before the start offset too, as far as they were there. */
  readonly records: ReadonlyMap<number, LogRecord>;
}

/** A store at one moment of its life. */
export interface Moment {
  readonly image: Image;
  readonly logs: ReadonlyMap<string, LogTruth>;
  /** By group, then by key. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** The life of a small store, which has one of everything. */
export interface Sample {
  /** At its end, closed. */
  readonly clean: Moment;
  /** After one more session, whose process was killed between two calls. */
  readonly killed: Moment;
  /** Before those, the oldest first: closed or killed. */
  readonly earlier: readonly Moment[];
}

/** Lives the life of a store; `name` is part of every value, so that two stores differ. */
export async function makeSample(name: string): Promise<Sample> {
  const life = new Life(name);
  const earlier: Moment[] = [];
  await life.open({ ...SMALL, compression: "none" });
  await life.append(
    "a",
    [
      { value: "", key: "k", headers: { h: "1" } },
      { value: "plain", key: "" },
      { value: "x".repeat(230) },
      { value: "y" },
    ],
    0,
  );
  for (const key of ["a", "b", "c", "d"]) for (let n = 0; n < 3; n++) await life.append(key, [{}]);
  await life.commit("g", { a: 3, b: 1 });
  await life.commit("h", { b: 2 });
  earlier.push(life.moment());
  await life.close();
  earlier.push(life.moment());

  await life.open(OPTIONS);
  const long = "compressible ".repeat(12);
  await life.append("a", [{ value: `${long}0` }, { value: `${long}1` }, { value: `${long}2` }]);
  await life.truncate("b", 2);
  await life.append("b", [{}]);
  for (let n = 0; n < 3; n++) await life.append("c", [{}]);
  // From here on another file has the name of the first.
  await life.truncate("d", 0);
  await life.append("d", [{ value: "anew" }, { value: "anew" }]);
  earlier.push(life.moment());
  await life.deleteBefore("c", 4);
  await life.append("b", [{ value: "will be torn" }]);
  await life.commit("g", { a: 6, c: 5 });
  earlier.push(life.moment());
  // A power cut tears the last group of `b`.
  life.kill();
  life.tear("b", 5);
  earlier.push(life.moment());

  await life.open(OPTIONS);
  await life.append("b", [{}, {}]);
  await life.append("a", [{ value: `${long}3` }, { value: `${long}4` }], 4);
  await life.commit("g", { b: 3, c: 6 });
  await life.seek("h", { b: 1 });
  await life.commit("i", { a: 9 });
  await life.close();
  const clean = life.moment();

  await life.open(OPTIONS);
  await life.append("a", [{ value: `${long}5` }]);
  await life.append("b", [{ value: `${long}6` }, { value: `${long}7` }, { value: `${long}8` }]);
  for (let n = 0; n < 2; n++) await life.append("b", [{}]);
  await life.append("c", [{}]);
  await life.append("d", [{ value: "z".repeat(99) }]);
  await life.append("d", [{ value: "z".repeat(99) }]);
  await life.commit("g", { a: 11, b: 4 });
  await life.commit("i", { b: 2 });
  const killed = life.moment();
  life.kill();
  return { clean, killed, earlier };
}

/** Writes a store and keeps account of what it must hold. */
class Life {
  readonly #name: string;
  #disk = new MemoryDisk();
  #store: LogStore | undefined;
  #clock = FIRST_TIMESTAMP;
  #logs = new Map<string, LogTruth>();
  #committed = new Map<string, Map<string, number>>();

  constructor(name: string) {
    this.#name = name;
  }

  async open(options: StoreOptions): Promise<void> {
    const fileSystem = new MemoryFileSystem(this.#disk);
    const environment = createEnvironment(fileSystem, undefined, () => this.#clock++);
    this.#store = await LogStore.openOn(environment, STORE, options);
    for (const key of this.#store.keys()) await this.#store.log(key);
  }

  moment(): Moment {
    const committed = [...this.#committed].map(([g, keys]) => [g, new Map(keys)] as const);
    return { image: imageOf(this.#disk), logs: new Map(this.#logs), committed: new Map(committed) };
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  /** The process is gone; what it did is on the disk, and its locks are not. */
  kill(): void {
    this.#disk = diskOf(imageOf(this.#disk));
    this.#store = undefined;
  }

  /** Takes the end of the last data file of `key` away, and with it the last record. */
  tear(key: string, bytes: number): void {
    const image = new Map(imageOf(this.#disk));
    const isData = (path: string) => path.startsWith(`logs/${key}/`) && path.endsWith(".log");
    const last = [...image.keys()].findLast(isData)!;
    image.set(last, image.get(last)!.slice(0, -bytes));
    this.#disk = diskOf(image);
    this.#cut(key, this.#truth(key).endOffset - 1);
  }

  /** @param sequence - Of the first record, if a producer appends them. */
  async append(
    key: string,
    records: readonly Partial<RecordFields>[],
    sequence?: number,
  ): Promise<void> {
    const before = this.#truth(key);
    const after = new Map(before.records);
    const inputs = records.map((fields, index) => {
      const offset = before.endOffset + index;
      const value = `${fields.value ?? `${this.#name}${key}${offset}`}`;
      const timestamp = this.#clock + index * 3;
      return { ...fields, value: value && `${value}${this.#name}`, timestamp };
    });
    const producer = sequence === undefined ? undefined : { id: 1n, epoch: 0, sequence };
    await this.#store!.appendBatch(key, inputs, { producer });
    inputs.forEach((input, index) => {
      const offset = before.endOffset + index;
      after.set(offset, recordOf(offset, input));
    });
    this.#clock += 10;
    const endOffset = before.endOffset + records.length;
    this.#logs.set(key, { ...before, endOffset, records: after });
  }

  async truncate(key: string, offset: number): Promise<void> {
    await (await this.#store!.log(key)).truncateTo(offset);
    this.#cut(key, offset);
  }

  async deleteBefore(key: string, offset: number): Promise<void> {
    await (await this.#store!.log(key)).deleteBefore(offset);
    this.#logs.set(key, { ...this.#truth(key), startOffset: offset });
  }

  async commit(group: string, offsets: Readonly<Record<string, number>>): Promise<void> {
    await this.#store!.group(group).commit(offsets);
    this.#set(group, offsets);
  }

  async seek(group: string, offsets: Readonly<Record<string, number>>): Promise<void> {
    await this.#store!.group(group).seek(offsets);
    this.#set(group, offsets);
  }

  #set(group: string, offsets: Readonly<Record<string, number>>): void {
    const known = this.#committed.get(group) ?? new Map<string, number>();
    for (const [key, next] of Object.entries(offsets)) known.set(key, next);
    this.#committed.set(group, known);
  }

  #truth(key: string): LogTruth {
    return this.#logs.get(key) ?? { startOffset: 0, endOffset: 0, records: new Map() };
  }

  #cut(key: string, endOffset: number): void {
    const { startOffset, records } = this.#truth(key);
    const kept = [...records].filter(([offset]) => offset < endOffset);
    this.#logs.set(key, { startOffset, endOffset, records: new Map(kept) });
  }
}

function recordOf(offset: number, { value, key, headers, timestamp }: RecordFields): LogRecord {
  const bytes = (text: unknown) => new TextEncoder().encode(text as string);
  return {
    offset,
    timestamp: timestamp!,
    value: bytes(value),
    ...(key === undefined ? {} : { key: bytes(key) }),
    ...(headers === undefined
      ? {}
      : { headers: Object.entries(headers).map(([n, v]) => [n, bytes(v)] as const) }),
  };
}
