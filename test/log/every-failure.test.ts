import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  CHANGES,
  type Fault,
  FaultyFileSystem,
  type OperationKind,
} from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { checkLegacy, eachOf, LIFE_OPTIONS, live } from "./life.js";

const OPENING: readonly OperationKind[] = ["open", "readDirectory", "syncDirectory"];

/** Faults, and the operations that they can befall. */
const FAULTS: readonly (readonly [
  name: string,
  fault: Fault,
  kinds: readonly OperationKind[] | undefined,
])[] = [
  ["EIO", { errno: "EIO" }, undefined],
  ["ENOSPC", { errno: "ENOSPC" }, [...CHANGES, "open"]],
  ["EMFILE", { errno: "EMFILE" }, OPENING],
  ["a short write", { shortBytes: 7 }, ["write"]],
  ["a write without progress", { shortBytes: 0 }, ["write"]],
  ["a short write, then ENOSPC", { shortBytes: 7, errno: "ENOSPC" }, ["write"]],
];

/** The operations of a life in which nothing goes wrong. */
async function unharmedLife(directory: string): Promise<OperationKind[]> {
  const system = new FaultyFileSystem();
  const expectation = await live(directory, LIFE_OPTIONS, system);
  const kinds = system.operations.map(({ kind }) => kind);
  expect(system.openPaths).toEqual([]);
  await checkLegacy(directory, LIFE_OPTIONS, expectation);
  return kinds;
}

describe("the n-th operation of a log's life fails, for every n", () => {
  for (const [name, fault, kinds] of FAULTS) {
    for (const times of [1, Number.POSITIVE_INFINITY]) {
      const title = `${name}, ${times === 1 ? "once" : "from then on"}`;
      test(title, { timeout: 120_000 }, async () => {
        const root = temporaryDirectory();
        const life = await unharmedLife(join(root, "unharmed"));
        expect(life.length).toBeGreaterThan(150);
        const numbers = [...life.keys()].filter((at) => kinds?.includes(life[at]!) ?? true);
        await eachOf(numbers, async (number) => {
          const directory = join(root, String(number));
          mkdirSync(directory);
          const system = new FaultyFileSystem();
          system.fail(
            { number, ...(kinds === undefined ? {} : { kind: kinds }) },
            { ...fault, times },
          );
          try {
            const expectation = await live(directory, LIFE_OPTIONS, system);
            expect(system.openPaths, "handles that were not given back").toEqual([]);
            await checkLegacy(directory, LIFE_OPTIONS, expectation);
          } catch (error) {
            const { kind, path } = system.operations[number]!;
            const what = `operation ${number}, ${kind} of ${path.slice(root.length)}`;
            throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
          }
        });
      });
    }
  }
});
