import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OTHER_BOOT } from "../support/crash.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { checkLegacy, eachOf, LIFE_OPTIONS, live } from "./life.js";

/*
 * The process dies at an operation; then, while what it left is brought in order, it dies again.
 * All that was written stays (a process dies, not a machine), but an open that is told of another
 * boot must not come to another result.
 */
const CASES = [
  { durability: "always", tornBytes: 0, machine: undefined },
  { durability: "os", tornBytes: 0, machine: OTHER_BOOT },
  { durability: "always", tornBytes: 100, machine: OTHER_BOOT },
  { durability: "os", tornBytes: 100, machine: undefined },
] as const;

describe("the process dies at the n-th operation of a log's life, for every n", () => {
  for (const { durability, tornBytes, machine } of CASES) {
    const cause = machine === undefined ? "kill" : "restart";
    const title = `under "${durability}", by a ${cause}, ${tornBytes} B of the last write kept`;
    test(title, { timeout: 120_000 }, async () => {
      const options = { ...LIFE_OPTIONS, durability };
      const root = temporaryDirectory();
      const system = new FaultyFileSystem();
      await live(join(root, "unharmed"), options, system);
      const numbers = [...system.operations.keys()].filter(
        (number) => tornBytes === 0 || system.operations[number]!.kind === "write",
      );
      await eachOf(numbers, async (number) => {
        const directory = join(root, String(number));
        mkdirSync(directory);
        await dieTwice(directory, options, number, tornBytes, machine).catch((error: Error) => {
          const { kind, path } = system.operations[number]!;
          const what = `operation ${number}, ${kind} of ${path.slice(root.length)}`;
          throw new Error(`${what}: ${error.message}`, { cause: error });
        });
      });
    });
  }
});

async function dieTwice(
  directory: string,
  options: typeof LIFE_OPTIONS,
  number: number,
  tornBytes: number,
  machine: Uint8Array | undefined,
): Promise<void> {
  const first = new FaultyFileSystem();
  first.dieAt(number, tornBytes);
  const expectation = await live(directory, options, first);
  await first.die();

  // Somewhere in the recovery, or in what comes after it; another place for every n.
  const second = new FaultyFileSystem();
  second.machine = machine;
  second.dieAt((number * 7) % 45, tornBytes);
  await expectation.goOn(directory, options, second);
  await second.die();

  const last = new FaultyFileSystem();
  last.machine = machine;
  await checkLegacy(directory, options, expectation, last);
  expect(last.openPaths).toEqual([]);
}
