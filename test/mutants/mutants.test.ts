import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { MUTANTS } from "./mutants.js";
import { plant } from "./plant.js";

const ROOT = new URL("../../", import.meta.url);
const pathTo = (name: string) => fileURLToPath(new URL(name, ROOT));

describe("the bugs of the mutation gate", () => {
  test("can all be planted into the sources as they are", () => {
    const failures = MUTANTS.flatMap((mutant) => {
      try {
        plant(readFileSync(pathTo(`src/${mutant.file}`), "utf8"), mutant);
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    });
    expect(failures).toEqual([]);
  });

  test("have suites that are there", () => {
    const files = MUTANTS.flatMap(({ suite }) => suite.files);
    expect(files.filter((file) => !existsSync(pathTo(`test/${file}`)))).toEqual([]);
    expect(MUTANTS.filter(({ suite }) => suite.files.length === 0)).toEqual([]);
  });

  test("have names of their own", () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});
