import { inspect, isDeepStrictEqual } from "node:util";
import { SeglogError } from "../../src/errors.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import { type DiskImage, MemoryDisk } from "../support/memory-disk.js";
import {
  type DiskChangeKind,
  type DiskFault,
  MemoryFileSystem,
} from "../support/memory-file-system.js";
import { Random } from "../support/random.js";
import { type Loss, partlyStored } from "./aftermath.js";
import type { FoundLog } from "./log-history.js";
import { type Expectation, Model } from "./model.js";
import type { Setting } from "./setting.js";
import { Shuffle } from "./shuffle.js";
import { directoryOf, type Found, readLog, Subject } from "./subject.js";

/** A moment just before the disk changes, at which everything may end. */
export interface CrashPoint {
  /** How many changes came before. */
  readonly number: number;
  readonly image: DiskImage;
  readonly expected: Expectation;
  /** What an earlier crash has lost already of what is expected, if that is not settled yet. */
  readonly loss: Loss;
  readonly change: string;
  readonly boot: number;
  readonly timeMs: number;
}

/** The contract does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** How a world begins. */
export interface WorldOrigin {
  readonly disk: MemoryDisk;
  /** Tells one start of the machine from another. */
  readonly boot: number;
  readonly expected: Expectation;
  readonly loss: Loss;
  readonly startTimeMs: number;
}

/** Before a life there is no more than a log that may be about to be made. */
export function beginning(setting: Setting): WorldOrigin {
  const model = new Model(setting);
  if (setting.kind === "log") model.log(setting.keys[0]!);
  return {
    disk: new MemoryDisk(),
    boot: 0,
    expected: model.expectation(),
    loss: "process",
    startTimeMs: 1_700_000_000_000,
  };
}

/** How a world goes on. */
export interface WorldCourse {
  /** Of how many moments at most to keep an image, for a crash to be tried there. */
  readonly keptPoints: number;
  readonly isShuffled: boolean;
  /** Whether a reader looks before every open, and must see what the open then finds. */
  readonly isReadBefore: boolean;
  /** Whether another process looks now and then while the writer lives. */
  readonly isWatched: boolean;
  /** Number of the change that fails, from 0 on. */
  readonly failingChange: number | undefined;
}

const SEGMENT_FILE = /\/\d{20}\.log$/;

/**
 * A log or store on its disk, with the model of what it must hold, and every moment of its life at
 * which it may be cut off.
 */
export class World {
  readonly setting: Setting;
  readonly fileSystem: MemoryFileSystem;
  readonly random: Random;
  /** In no order once there were more than are kept: then each is kept with the same chance. */
  readonly points: CrashPoint[] = [];
  model: Model;
  #subject: Subject | undefined;
  /** How often another process has looked. */
  looks = 0;
  /** That process, which stays while writers come and go. */
  #reader: Subject | undefined;
  readonly #readerSystem: MemoryFileSystem;
  readonly #course: WorldCourse;
  readonly #logs = new Map<string, CommitLog>();
  /** Set while it is not known what the disk holds: until an open is done. */
  #frozen: Expectation | undefined;
  #loss: Loss;
  readonly #boot: number;
  /** Keys that were there when it was closed. */
  closedKeys: readonly string[] = [];
  #changes = 0;
  /** Decides which moments are kept, and nothing else: what happens does not depend on it. */
  readonly #choice: Random;
  #timeMs: number;
  /** Whether a change of the disk was made to fail since the last open. */
  hasFailed = false;

  constructor(setting: Setting, origin: WorldOrigin, course: WorldCourse, random: Random) {
    this.setting = setting;
    this.random = random;
    this.#choice = new Random(random.below(2 ** 32));
    this.#course = course;
    this.#frozen = origin.expected;
    this.#loss = origin.loss;
    this.#timeMs = origin.startTimeMs;
    this.#boot = origin.boot;
    this.model = new Model(setting);
    const hooks = {
      bootId: new Uint8Array(16).fill(1 + (origin.boot % 255)),
      beforeChange: (kind: DiskChangeKind, path: string) => this.#beforeChange(kind, path),
      afterChange: (kind: DiskChangeKind, path: string) => this.#afterChange(kind, path),
    };
    this.#readerSystem = new MemoryFileSystem(origin.disk, { bootId: hooks.bootId });
    const { schedule } = new Shuffle(random);
    this.fileSystem = new MemoryFileSystem(
      origin.disk,
      course.isShuffled ? { ...hooks, schedule } : hooks,
    );
  }

  /** Sets the clock forward; it also goes on by itself, so that times tell records apart. */
  passTime(milliseconds: number): void {
    this.#timeMs += milliseconds;
  }

  get subject(): Subject {
    if (this.#subject === undefined) throw new Error("Nothing is open.");
    return this.#subject;
  }

  /** Opens it and judges what is there. Fails with a {@link Violation}, or as opening does. */
  async open(): Promise<void> {
    const expected = this.#frozen!;
    this.hasFailed = false;
    const before = this.#course.isReadBefore ? await this.#readOnly() : undefined;
    const subject = await Subject.open(this.setting, this.fileSystem, () => this.#timeMs++);
    try {
      const found = await subject.read();
      const wrong =
        this.model.judge(found, expected, this.#loss) ?? (before && differenceOf(before, found));
      if (wrong !== undefined) throw new Violation(wrong);
      this.model = this.model.after(found, expected, this.#loss);
      if (this.random.below(3) === 0) await this.#askForProducers(subject, found);
    } catch (error) {
      await subject.close().catch(() => undefined);
      throw error;
    }
    this.#subject = subject;
    for (const key of subject.keys()) await this.log(key);
    this.#frozen = undefined;
    this.#loss = "process";
  }

  /** What a log knows of a producer must be what its records tell. */
  async #askForProducers(subject: Subject, found: Found): Promise<void> {
    for (const [key, log] of found.logs) {
      for (const [id, known] of this.model.sent(key).knownBy(log)) {
        const said = await (await subject.log(key)).producer(id);
        if (isDeepStrictEqual(said, known)) continue;
        throw new Violation(
          `log ${key}, producer ${id}: ${inspect(said)} is known, ${inspect(known)} is stored`,
        );
      }
    }
  }

  get isWatched(): boolean {
    return this.#course.isWatched;
  }

  /**
   * Another process looks, with what it has open since it last did; it must see what the writer
   * shows. Nothing may be on its way.
   */
  async look(): Promise<void> {
    this.looks++;
    this.#reader ??= await Subject.openToRead(this.setting, this.#readerSystem);
    if (this.#reader === undefined) throw new Violation("a reader finds nothing to open");
    for (const [key, log] of this.#logs) {
      const other = await this.#reader.log(key);
      await other.refresh().catch((error: unknown) => {
        const isTold = error instanceof SeglogError && error.code === "LOG_TRUNCATED";
        return isTold ? other.refresh() : Promise.reject(error);
      });
      const [seen, own] = [await readLog(other), await readLog(log)];
      if (JSON.stringify(seen) === JSON.stringify(own)) continue;
      const bounds = (found: FoundLog) =>
        `${found.startOffset} to ${found.endOffset} of epoch ${found.epoch}`;
      throw new Violation(`log ${key}: a reader sees ${bounds(seen)}, the writer ${bounds(own)}`);
    }
  }

  /** That process goes away. */
  async endLooking(): Promise<void> {
    await this.#reader?.close();
    this.#reader = undefined;
    const open = this.#readerSystem.openPaths;
    if (open.length > 0) throw new Violation(`a reader left open: ${open.join(", ")}`);
  }

  async #readOnly(): Promise<Found | undefined> {
    const subject = await Subject.openToRead(this.setting, this.fileSystem);
    try {
      return await subject?.read();
    } finally {
      await subject?.close();
    }
  }

  /** Closes it, after which nothing that it accepted may be lost, unless closing fails. */
  async close(): Promise<void> {
    const subject = this.subject;
    const settle = this.model.beginFlush();
    this.closedKeys = subject.keys();
    try {
      await subject.close();
      settle();
    } catch (error) {
      if (!(error instanceof SeglogError)) throw error;
      if (!this.hasFailed) throw new Violation(`close() fails: ${error.message}`);
    } finally {
      this.#observe();
      this.#subject = undefined;
      this.#logs.clear();
      this.#frozen = this.model.expectation();
    }
    const open = this.fileSystem.openPaths;
    if (open.length > 0) throw new Violation(`still open after close(): ${open.join(", ")}`);
  }

  /** The log of a key, watched from then on. */
  async log(key: string): Promise<CommitLog> {
    const known = this.#logs.get(key);
    if (known !== undefined) return known;
    this.model.log(key);
    const log = await this.subject.log(key);
    this.model.made(key);
    this.#logs.set(key, log);
    return log;
  }

  /** The log of a key is no longer watched. */
  forget(key: string): void {
    this.#observe();
    this.#logs.delete(key);
  }

  #beforeChange(kind: DiskChangeKind, path: string): DiskFault | undefined {
    const number = this.#changes++;
    const { keptPoints, failingChange } = this.#course;
    // What was seen once must count in all later moments.
    if (keptPoints > 0) this.#observe();
    const place = number < keptPoints ? number : this.#choice.below(number + 1);
    if (place < keptPoints) {
      this.points[place] = {
        number,
        image: this.fileSystem.disk.capture(),
        expected: this.#frozen ?? this.model.expectation(),
        loss: this.#loss,
        change: `${kind} ${path}`,
        boot: this.#boot,
        timeMs: this.#timeMs,
      };
    }
    if (number !== failingChange) return undefined;
    this.hasFailed = true;
    if (this.setting.options.retention !== undefined) {
      for (const key of this.#logs.keys()) this.model.log(key).mayLoseOldest = true;
    }
    return this.#faultOf(kind);
  }

  #faultOf(kind: DiskChangeKind): DiskFault {
    switch (kind) {
      case "datasync":
        return { errno: "EIO", stored: (state) => partlyStored(state, this.random) };
      case "write":
        return { errno: this.random.pick(["ENOSPC", "EIO"]), writtenBytes: this.random.below(200) };
      case "create":
        return { errno: this.random.pick(["ENOSPC", "EMFILE"]) };
      case "makeDirectory":
        return { errno: "ENOSPC" };
      default:
        return { errno: "EIO" };
    }
  }

  #afterChange(kind: DiskChangeKind, path: string): void {
    if (kind !== "datasync" || !SEGMENT_FILE.test(path)) return;
    for (const key of this.#logs.keys()) {
      if (path.startsWith(`${directoryOf(this.setting, key)}/`)) this.model.log(key).syncDone();
    }
  }

  /** Takes down what readers see now. */
  #observe(): void {
    for (const [key, log] of this.#logs) {
      this.model.log(key).observe(log.startOffset, log.endOffset, log.epoch);
    }
  }
}

/** Where a reader of the files as they lay saw something else than their writer then found. */
function differenceOf(before: Found, found: Found): string | undefined {
  for (const [key, { startOffset, endOffset, values }] of found.logs) {
    const seen = before.logs.get(key);
    if (seen === undefined) return `a reader did not see the log ${key}`;
    // Retention may have moved the start since.
    const later = values.length === 0 ? [] : seen.values.slice(-values.length);
    if (seen.endOffset === endOffset && seen.startOffset <= startOffset) {
      if (values.join() === later.join()) continue;
    }
    return (
      `a reader saw offsets ${seen.startOffset} to ${seen.endOffset} of ${key}, ` +
      `its writer then found ${startOffset} to ${endOffset}`
    );
  }
  return undefined;
}
