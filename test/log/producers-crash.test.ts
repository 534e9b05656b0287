import { describe, test } from "vitest";
import { aftermath, PLAIN_AFTERMATHS } from "../crash/aftermath.js";
import type { DiskImage } from "../support/memory-disk.js";
import { type DiskFault, MemoryFileSystem } from "../support/memory-file-system.js";
import { Random } from "../support/random.js";
import { ProducerLife } from "./producer-life.js";

/** Small enough that a session rolls several times. */
const OPTIONS = { segmentBytes: 1200, blockBytes: 256, onError: () => undefined };
const DIRECTORY = "/log";
/** Disks that are tried for each moment: all that are not made by chance, and some that are. */
const DISKS = PLAIN_AFTERMATHS + 2;
const OTHER_BOOT = new Uint8Array(16).fill(9);

interface Moment {
  readonly image: DiskImage;
  readonly life: ProducerLife;
  readonly what: string;
}

/** Two sessions on a sound disk, and how things stood before each change of it. */
async function momentsOf(options: typeof OPTIONS): Promise<Moment[]> {
  const moments: Moment[] = [];
  const life = new ProducerLife(DIRECTORY, options);
  const system: MemoryFileSystem = new MemoryFileSystem(undefined, {
    beforeChange: (kind, path) => {
      const image = system.disk.capture();
      const what = `${kind} of ${path}`;
      moments.push({ image, life: new ProducerLife(DIRECTORY, options, life), what });
      return undefined;
    },
  });
  await life.session(system);
  await life.session(system);
  return moments;
}

describe("a producer that sends again what it got no answer to stores each record once", () => {
  for (const durability of ["always", "os"] as const) {
    test(`wherever a crash comes, under "${durability}"`, { timeout: 120_000 }, async () => {
      const options = { ...OPTIONS, durability };
      const moments = await momentsOf(options);
      const random = new Random(7);
      for (const [number, { image, life, what }] of moments.entries()) {
        for (let disk = 0; disk < DISKS; disk++) {
          const left = aftermath(image, disk, random);
          const hooks = left.isNewBoot ? { bootId: OTHER_BOOT } : {};
          const next = new ProducerLife(DIRECTORY, options, life);
          const mayLose = durability === "os" && left.loss !== "process";
          await next
            .check(new MemoryFileSystem(left.disk, hooks), mayLose)
            .catch((error: Error) => {
              throw new Error(`change ${number}, ${what}, disk ${disk}: ${error.message}`, {
                cause: error,
              });
            });
        }
      }
    });

    for (const fault of [{ errno: "EIO" }, { errno: "ENOSPC" }, { errno: "EMFILE" }]) {
      const title = `whichever change fails with ${fault.errno}, under "${durability}"`;
      test(title, { timeout: 120_000 }, async () => {
        const options = { ...OPTIONS, durability };
        const { length } = await momentsOf(options);
        for (let number = 0; number < length; number++) await liveWith(options, number, fault);
      });
    }
  }
});

async function liveWith(options: typeof OPTIONS, number: number, fault: DiskFault): Promise<void> {
  let changes = 0;
  let what = "";
  const life = new ProducerLife(DIRECTORY, options);
  const system = new MemoryFileSystem(undefined, {
    beforeChange: (kind, path) => {
      if (changes++ !== number) return undefined;
      what = `${kind} of ${path}`;
      return fault;
    },
  });
  await life.session(system);
  await life.session(system);
  await life.check(system, false).catch((error: Error) => {
    throw new Error(`change ${number}, ${what}: ${error.message}`, { cause: error });
  });
}
