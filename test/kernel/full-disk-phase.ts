import { rmSync } from "node:fs";
import { join } from "node:path";
import { SeglogError } from "../../src/index.js";
import { Random } from "../support/random.js";
import { unexpectedCodes } from "./codes.js";
import { command } from "./command.js";
import { hasPoisonedTruncation, poisonedByLack } from "./fault-checks.js";
import { MountedImage } from "./mounted-image.js";
import { observeStore } from "./observe.js";
import type { Phase, PhaseContext, PhaseResult } from "./phase.js";
import { awaitLack, awaitRoom } from "./room.js";
import { SCENARIOS } from "./scenario.js";
import { StoreHistory } from "./store-history.js";
import { showViolations, Tally } from "./tally.js";
import { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";

/** Room that is left to the store, in KiB. */
const LEFT_KIB = 6 * 1024;
/** Large records fill what is left in no time. */
const SCENARIO = SCENARIOS[3]!;
/** Reads beside a writer that changes the directory all the time. */
const MAX_ATTEMPTS = 20;
/** What a reader beside a writer that truncates is told. */
const OVERTAKEN = new Set(["LOG_TRUNCATED", "OFFSET_OUT_OF_RANGE"]);

/** A file system that is really full, and then is not. */
export const fullDiskPhase: Phase = {
  name: "full-disk",
  purpose: "a real file system is filled up; appends go on when there is room again",
  cycles: 12,
  run,
};

async function run(context: PhaseContext): Promise<PhaseResult> {
  const random = new Random(context.seed);
  const tally = new Tally();
  let resumed = 0;
  for (const kind of ["xfs", "ext4"] as const) {
    if (tally.hasFailed) break;
    const image = new MountedImage(kind, context.directory);
    let isKept = true;
    try {
      const most = kind === "xfs" ? Math.ceil(context.cycles / 2) : context.cycles;
      while (tally.result().cycles < most && !tally.hasFailed) {
        const history = new StoreHistory(join(image.directory, "store"), SCENARIO, random);
        const isKilled = tally.result().cycles % 3 === 2;
        const violations = await fillUp(image, history, random, isKilled);
        if (!isKilled) resumed++;
        violations.push(...(await history.judge()));
        tally.cycle();
        tally.add(history.counts);
        tally.found(violations);
        context.progress(tally.result().cycles);
        if (violations.length > 0) {
          const journals = join(context.directory, "journals");
          history.keepJournals(journals);
          tally.fail(`${kind}: the journals are in ${journals}`, ...showViolations(violations));
        } else {
          history.remove();
        }
      }
      isKept = tally.hasFailed;
    } finally {
      const path = image.remove(isKept);
      if (isKept) tally.fail(`the image is ${path}`);
    }
  }
  tally.note(`${resumed} times the same process went on when there was room`);
  return tally.result();
}

async function fillUp(
  image: MountedImage,
  history: StoreHistory,
  random: Random,
  isKilled: boolean,
): Promise<Violation[]> {
  const ballast = join(image.directory, "ballast");
  const free = command("df", "--output=avail", "--block-size=1K", image.directory);
  const freeKib = Number(free.split("\n").at(-1));
  command("fallocate", `--length=${freeKib - LEFT_KIB}KiB`, ballast);
  const workload = history.nextLife(random.pick(["always", "interval", "os"]));
  const victim = new VictimProcess(workload);
  const violations: Violation[] = [];
  try {
    await awaitLack(victim);
    if (!isKilled) {
      violations.push(...(await readBeside(victim, history, random)));
      rmSync(ballast);
      await awaitRoom(victim);
      victim.close();
      await victim.ended();
    }
  } finally {
    await victim.kill();
  }
  history.lived(workload, victim, "process gone");
  if (isKilled) violations.push(...(await judgeFull(history, random)));
  rmSync(ballast, { force: true });
  violations.push(...unexpectedCodes(victim.journal, ["NO_SPACE", "LOG_POISONED"]));
  return [...violations, ...poisonedByLack(victim.journal)];
}

/** A full disk must not keep anybody from reading, and an open that needs room must say so. */
async function judgeFull(history: StoreHistory, random: Random): Promise<Violation[]> {
  const seen = await history.judgeReadOnly();
  try {
    await observeStore(history.directory, {}, random);
  } catch (error) {
    if (error instanceof SeglogError && error.code === "NO_SPACE") return seen;
    return [...seen, { kind: "wrong", message: `opened on a full disk: ${String(error)}` }];
  }
  return seen;
}

/** Reads while the writer is alive and may truncate, so only that it works can be judged. */
async function readBeside(
  victim: VictimProcess,
  history: StoreHistory,
  random: Random,
): Promise<Violation[]> {
  for (let attempts = 1; ; attempts++) {
    try {
      await observeStore(history.directory, { readOnly: true }, random);
      return [];
    } catch (error) {
      const code = error instanceof SeglogError ? error.code : "untyped";
      if (OVERTAKEN.has(code)) return [];
      // A directory that changes while it is listed, as that of a log that is truncated all the time.
      if (code === "IO_ERROR" && attempts < MAX_ATTEMPTS) continue;
      // What a truncation that could not be ended has published does not fit its files any more.
      if (code === "IO_ERROR" && hasPoisonedTruncation(victim.journal)) return [];
      return [{ kind: "wrong", message: `reading beside a full disk: ${String(error)}` }];
    }
  }
}
