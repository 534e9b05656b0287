import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mutant, Suite } from "./mutant.js";
import type { Report } from "./report.js";

/** Randomized tests run with these, so that whether a bug is caught is no matter of luck. */
const SEEDS = "1,2,3";
/** A run that takes longer blocks the event loop, so that no test can run out of time. */
const LIMIT_MS = 5 * 60_000;

/** What came of a run of Vitest. */
export interface SuiteRun {
  /** `undefined` if it left none; {@link output} tells why. */
  readonly report: Report | undefined;
  /** Whether the module with the bug was evaluated. */
  readonly wasLoaded: boolean;
  readonly output: string;
  readonly seconds: number;
}

/** Runs a suite in a process of its own, with a bug or without. */
export async function runSuite(
  root: string,
  suite: Suite,
  mutant: Mutant | undefined,
): Promise<SuiteRun> {
  const directory = mkdtempSync(join(tmpdir(), "seglog-mutant-"));
  const reportPath = join(directory, "report.json");
  const mark = join(directory, "loaded");
  const startedAt = performance.now();
  try {
    const output = await runVitest(root, argumentsOf(suite), {
      SEGLOG_SEED: SEEDS,
      SEGLOG_MUTANT_REPORT: reportPath,
      ...(mutant && { SEGLOG_MUTANT: mutant.name, SEGLOG_MUTANT_MARK: mark }),
    });
    return {
      report: readReport(reportPath),
      wasLoaded: existsSync(mark),
      output,
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function argumentsOf({ files, pattern }: Suite): string[] {
  return [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--config=test/mutants/vitest.config.ts",
    ...files.map((file) => `test/${file}`),
    ...(pattern === undefined ? [] : [`--testNamePattern=${pattern}`]),
  ];
}

/** @returns What it printed. */
function runVitest(
  root: string,
  args: readonly string[],
  variables: NodeJS.ProcessEnv,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...variables },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, to be ended with the workers that it starts.
      detached: true,
    });
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    child.stderr.on("data", (piece: Buffer) => pieces.push(piece));
    const endAll = () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const timer = setTimeout(endAll, LIMIT_MS);
    process.once("exit", endAll);
    const done = () => {
      clearTimeout(timer);
      process.off("exit", endAll);
    };
    child.once("error", (error) => {
      done();
      reject(error);
    });
    child.once("close", () => {
      done();
      resolve(Buffer.concat(pieces).toString());
    });
  });
}

function readReport(path: string): Report | undefined {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, "utf8")) as Report;
}
