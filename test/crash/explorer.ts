import { crc32 } from "node:zlib";
import type { Durability } from "../../src/log/options.js";
import { Random } from "../support/random.js";
import { aftermath, fingerprint, type Loss, PLAIN_AFTERMATHS } from "./aftermath.js";
import { Life } from "./life.js";
import { randomSetting, type Setting } from "./setting.js";
import { verifyLogs } from "./subject.js";
import { beginning, type CrashPoint, Violation, World, type WorldOrigin } from "./world.js";

/** How much is tried. */
export interface Extent {
  /** Crashes in a row: 1 for crashes of a life, 2 for those of what goes on after one, ... */
  readonly depth: number;
  /** Disks that are made by chance at each moment, beside those that are always tried. */
  readonly mixedDisks: number;
  /** Moments of what goes on after a crash at which it is crashed again. */
  readonly nestedPoints: number;
}

export const DEFAULT_EXTENT: Extent = { depth: 2, mixedDisks: 4, nestedPoints: 2 };

/** What was tried. */
export interface Tally {
  lives: number;
  /** Moments of the lives at which the disk changed. */
  moments: number;
  /** Distinct disks that were opened and judged. */
  states: number;
  /** Acknowledged steps that those disks had to hold, and held. */
  acknowledged: number;
}

export const NO_TALLY: Tally = { lives: 0, moments: 0, states: 0, acknowledged: 0 };

/** Sets the timers of the logs forward; see `virtual-time.ts`. */
type AdvanceTimers = (milliseconds: number) => void;

/** Tries crashes of lives that a seed determines. */
export class Explorer {
  readonly #seed: number;
  readonly #extent: Extent;
  readonly #advanceTimers: AdvanceTimers;
  readonly tally: Tally = { ...NO_TALLY };
  /** Where it is now: if nothing goes on, here is the promise that never settles. */
  path = "";

  constructor(seed: number, extent: Extent, advanceTimers: AdvanceTimers) {
    this.#seed = seed;
    this.#extent = extent;
    this.#advanceTimers = advanceTimers;
  }

  /**
   * Lives one life and tries every moment of it.
   *
   * @param maxStates - Ends in the middle of a life as soon as so many have been tried in all.
   * @throws Violation that names the path to it.
   */
  async explore(
    durability: Durability,
    life: number,
    maxStates = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const path = `${this.#seed}/${durability}/${life}`;
    this.path = path;
    const { setting, world } = await this.#live(path, durability);
    this.tally.lives++;
    for (const point of world.points) {
      if (this.tally.states >= maxStates) return;
      this.tally.moments++;
      const seen = new Set<string>();
      for (let disk = 0; disk < PLAIN_AFTERMATHS + this.#extent.mixedDisks; disk++) {
        await this.#crash(path, setting, point, disk, this.#extent.depth - 1, seen);
      }
    }
  }

  /** Goes the one way that a violation has named. */
  async replay(path: string): Promise<void> {
    const [first, ...crashes] = path.split("@");
    const durability = first!.split("/")[1] as Durability;
    const { setting, world } = await this.#live(first!, durability);
    let { points } = world;
    let at = first!;
    for (const [index, text] of crashes.entries()) {
      const [number, disk] = text.split(".").map(Number) as [number, number];
      const kept = index < crashes.length - 1 ? Number.POSITIVE_INFINITY : 0;
      const point = points.find((each) => each.number === number);
      if (point === undefined) throw new RangeError(`${at} has no moment ${number}`);
      points = (await this.#goOn(at, setting, point, disk, kept))?.points ?? [];
      at = `${at}@${text}`;
    }
  }

  async #live(path: string, durability: Durability): Promise<{ setting: Setting; world: World }> {
    const random = new Random(crc32(path));
    const setting = randomSetting(durability, random);
    const { failingChange, steps } = setting;
    const course = {
      keptPoints: Number.POSITIVE_INFINITY,
      isShuffled: true,
      isReadBefore: false,
      isWatched: false,
      failingChange,
    };
    const world = new World(setting, beginning(setting), course, random);
    await named(path, world, "in a life", () =>
      new Life(world, "0", this.#advanceTimers).live(steps),
    );
    return { setting, world };
  }

  async #crash(
    path: string,
    setting: Setting,
    point: CrashPoint,
    disk: number,
    depth: number,
    seen: Set<string>,
  ): Promise<void> {
    const kept = depth > 0 ? this.#extent.nestedPoints : 0;
    const world = await this.#goOn(path, setting, point, disk, kept, seen);
    if (world === undefined) return;
    const to = `${path}@${point.number}.${disk}`;
    const random = new Random(crc32(`nested ${to}`));
    for (const next of world.points) {
      const nextDisk = random.below(PLAIN_AFTERMATHS + 8);
      await this.#crash(to, setting, next, nextDisk, depth - 1, new Set());
    }
  }

  /** @returns `undefined` if this disk has been tried. */
  async #goOn(
    path: string,
    setting: Setting,
    point: CrashPoint,
    disk: number,
    keptPoints: number,
    seen: Set<string> = new Set(),
  ): Promise<World | undefined> {
    const to = `${path}@${point.number}.${disk}`;
    const random = new Random(crc32(to));
    const left = aftermath(point.image, disk, random);
    const print = fingerprint(left);
    if (seen.has(print)) return undefined;
    seen.add(print);
    this.path = to;
    this.tally.states++;
    const origin: WorldOrigin = {
      disk: left.disk,
      boot: point.boot + (left.isNewBoot ? 1 : 0),
      expected: point.expected,
      loss: worse(point.loss, left.loss),
      startTimeMs: point.timeMs,
    };
    const isShuffled = random.below(4) === 0;
    // Whoever reads or verifies what a crash left must come to the same as recovery.
    const isExamined = random.below(12) === 0;
    const course = {
      keptPoints,
      isShuffled,
      isReadBefore: isExamined,
      isWatched: false,
      failingChange: undefined,
    };
    const world = new World(setting, origin, course, random);
    // Values tell by their names in which life they were made.
    const name = String(crc32(to));
    const moment = `before ${point.change}, ${left.loss} lost`;
    await named(to, world, moment, async () => {
      const verify = async (when: string, keys: Iterable<string>) => {
        const said = await verifyLogs(setting, world.fileSystem, keys);
        if (said.length > 0) throw new Violation(`verify ${when}: ${said.join("; ")}`);
      };
      if (isExamined) await verify("before it is opened", point.expected.keys.keys());
      await new Life(world, name, this.#advanceTimers).live(random.below(3));
      if (isExamined) await verify("after it was closed", world.closedKeys);
    });
    for (const { mark } of point.expected.keys.values())
      this.tally.acknowledged += mark.acknowledged;
    return world;
  }
}

const LOSSES: readonly Loss[] = ["process", "cleanPages", "power"];

function worse(one: Loss, other: Loss): Loss {
  return LOSSES[Math.max(LOSSES.indexOf(one), LOSSES.indexOf(other))]!;
}

/** Names the path, and what happened on it, in whatever fails. */
async function named(
  path: string,
  world: World,
  moment: string,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    const { message } = error as Error;
    const setting = JSON.stringify(world.setting);
    throw new Violation(
      `${message}\n  ${moment}\n  setting: ${setting}\n  replay: npm run test:crash -- --replay ${path}`,
      { cause: error },
    );
  }
}
