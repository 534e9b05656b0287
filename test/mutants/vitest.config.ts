import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import base from "../vitest.config.js";
import { findMutant } from "./mutants.js";
import { planting } from "./planting.js";
import { GateReporter } from "./reporter.js";

const sources = fileURLToPath(new URL("../../src", import.meta.url));
const tests = fileURLToPath(new URL("..", import.meta.url));
const { SEGLOG_MUTANT: name, SEGLOG_MUTANT_MARK: mark, SEGLOG_MUTANT_REPORT: report } = process.env;
const mutant = name === undefined ? undefined : findMutant(name);

/** Enough for any test that notices a bug; one that the bug makes hang need not take longer. */
const TIMEOUT_MS = 10_000;

/**
 * The tests as `npm test` runs them, with the bug in the sources that SEGLOG_MUTANT names. Nothing
 * is compiled first: the programs in dist/ would not have the bug, so no suite may start them.
 */
export default defineConfig({
  ...base,
  plugins: mutant === undefined ? [] : [planting(mutant, sources, mark)],
  test: {
    ...base.test,
    globalSetup: [],
    cache: false,
    maxWorkers: 1,
    ...(mutant !== undefined && { testTimeout: TIMEOUT_MS, hookTimeout: TIMEOUT_MS }),
    ...(report !== undefined && {
      reporters: [new GateReporter(tests, report, wantedOf(mutant?.hangs))],
    }),
  },
});

function wantedOf(hangs: true | undefined) {
  if (mutant === undefined) return "all";
  return hangs ? "first notice or hang" : "first notice";
}
