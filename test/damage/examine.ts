import { join } from "node:path/posix";
import { CorruptionError, type SeglogError } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import type { Finding } from "../../src/log/finding.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { LogStore } from "../../src/store/log-store.js";
import { BoundedFileSystem, type Image, imageOf, isSameImage, STORE } from "./image.js";
import { type Answer, readEverything, type Thoroughness, typed, Violation } from "./look.js";
import type { Outcome } from "./outcomes.js";
import { type LogTruth, OPTIONS } from "./sample.js";

/** A damaged store, and the log that is looked at. */
export interface Case {
  readonly image: Image;
  readonly key: string;
  /** Path of the damaged file. */
  readonly path: string;
  readonly truth: LogTruth;
}

/** Opens the log for reading and reads all of it; nothing may be changed. */
export async function examineReading(
  one: Case,
  outcome: Outcome,
  thoroughness: Thoroughness,
): Promise<void> {
  const fileSystem = new BoundedFileSystem(one.image);
  const directory = join(STORE, "logs", one.key);
  const environment = createEnvironment(fileSystem);
  const log = await opened("opening for reading", outcome.read, one, () =>
    CommitLog.openOn(environment, directory, { readOnly: true }),
  );
  if (log !== undefined) {
    fileSystem.rest();
    judge(one, outcome, log, await readEverything(log, one.truth, thoroughness));
    await log.close();
  }
  assertAtRest(fileSystem);
  assertUnchanged(fileSystem, one.image, "reading");
}

/**
 * Opens the store for writing, reads the log, adds a record, and closes; then the log is opened
 * again, and must hold what it held, and the record.
 */
export async function examineWriting(
  one: Case,
  outcome: Outcome,
  thoroughness: Thoroughness,
): Promise<void> {
  const fileSystem = new BoundedFileSystem(one.image);
  const now = () => 1_800_000_000_000;
  const open = () => LogStore.openOn(createEnvironment(fileSystem, undefined, now), STORE, OPTIONS);
  const store = await open();
  const log = await opened("opening for writing", outcome.write, one, () => store.log(one.key));
  if (log === undefined) {
    await store.close();
    assertAtRest(fileSystem);
    assertDataUnchanged(fileSystem, one);
    return;
  }
  fileSystem.rest();
  judge(one, outcome, log, await readEverything(log, one.truth, thoroughness));
  const { endOffset } = log;
  const value = new TextEncoder().encode("added");
  const offset = await log.append(value);
  if (offset !== endOffset) throw new Violation(`the next record gets ${offset}, not ${endOffset}`);
  await store.close();
  fileSystem.rest();
  const again = await open();
  const reader = await again.log(one.key);
  const kept = [...one.truth.records].filter(([each]) => each < offset);
  const timestamp = reader.readSync(offset).timestamp;
  const records = new Map([...kept, [offset, { offset, value, timestamp }]]);
  const truth = { ...one.truth, endOffset: offset + 1, records };
  judge(
    one,
    { ...outcome, endOffset: offset + 1 },
    reader,
    await readEverything(reader, truth, "each"),
  );
  await again.close();
  assertAtRest(fileSystem);
}

/** Runs the scan of `seglog verify`, which must tell what the outcome wants to be told. */
export async function examineVerify(one: Case, outcome: Outcome): Promise<void> {
  const fileSystem = new BoundedFileSystem(one.image);
  const directory = join(STORE, "logs", one.key);
  const { findings } = await verifyLog(createEnvironment(fileSystem), directory);
  assertAtRest(fileSystem);
  assertUnchanged(fileSystem, one.image, "verify");
  assertTold(findings, join(STORE, one.path), outcome.verify);
}

/** Fails unless the findings about a file are of the level that they should be of. */
export function assertTold(
  findings: readonly Finding[],
  path: string,
  wanted: Outcome["verify"],
): void {
  const levels = findings.map(({ level }) => level);
  const told = findings.filter(({ file }) => file === path).map(({ level }) => level);
  const isRight =
    wanted === "damage"
      ? told.includes("damage")
      : !levels.includes("damage") &&
        (wanted === "warning" ? told.includes("warning") : !levels.includes("warning"));
  if (isRight) return;
  const list = findings.map(({ level, file, message }) => `${level} ${file}: ${message}`);
  throw new Violation(`verify should tell ${wanted}, and says ${list.join("; ") || "nothing"}`);
}

async function opened<T>(
  call: string,
  wanted: "opens" | "fails",
  one: Case,
  open: () => Promise<T>,
): Promise<T | undefined> {
  let result: T;
  try {
    result = await open();
  } catch (thrown) {
    const error = typed(thrown, call);
    if (wanted === "opens") throw new Violation(`${call} fails: ${error.message}`);
    assertNamed(error, one, call);
    return undefined;
  }
  if (wanted === "opens") return result;
  throw new Violation(`${call} works, and should not`);
}

/** Compares what calls came to with what they should come to. */
function judge(one: Case, outcome: Outcome, log: CommitLog, answers: readonly Answer[]): void {
  const { lost, endOffset } = outcome;
  const { startOffset } = one.truth;
  if (log.startOffset !== startOffset) {
    throw new Violation(`the log starts at ${log.startOffset} instead of ${startOffset}`);
  }
  if (log.endOffset !== endOffset) {
    throw new Violation(`the log ends at ${log.endOffset} instead of ${endOffset}`);
  }
  const [from, to] = lost;
  const isWhole = from === to;
  for (const { call, offset, error } of answers) {
    const where = `${call} ${offset}`;
    if (call === "offsetForTimestamp") {
      if (isWhole && error !== undefined) throw new Violation(`${where}: ${error.message}`);
      if (error !== undefined) assertNamed(error, one, where);
      continue;
    }
    if (call === "records" || call === "batches" || call === "follow") {
      const reached = isWhole ? endOffset : from;
      if (offset !== reached) throw new Violation(`${call} comes to ${offset}, not ${reached}`);
      if (isWhole !== (error === undefined)) throw new Violation(`${where}: ${error?.message}`);
    } else if (offset >= from && offset < to) {
      if (error === undefined) throw new Violation(`${where} should be lost`);
    } else if (offset >= endOffset) {
      // At its end a log has nothing to give yet.
      const isEnd = call === "readFrom" && offset === endOffset;
      if (isEnd ? error !== undefined : error?.code !== "OFFSET_OUT_OF_RANGE") {
        throw new Violation(`${where}: it lies behind the end: ${error?.message}`);
      }
      continue;
    } else if (error !== undefined && !(call === "readFrom" && offset + 2 > from)) {
      throw new Violation(`${where}: ${error.message}`);
    }
    if (error !== undefined) assertNamed(error, one, where);
  }
}

/** A failure because of the damage names the file, and a position that is in it. */
export function assertNamed(
  error: SeglogError,
  { image, path }: Pick<Case, "image" | "path">,
  where: string,
): void {
  const isRight =
    error instanceof CorruptionError &&
    error.file === join(STORE, path) &&
    error.position <= (image.get(path)?.length ?? 0);
  if (!isRight) throw new Violation(`${where}: ${error.code} ${error.message}`);
}

export function assertAtRest(fileSystem: BoundedFileSystem): void {
  if (fileSystem.isExhausted) throw new Violation("it hangs");
  const { openPaths } = fileSystem;
  if (openPaths.length > 0) throw new Violation(`files are left open: ${openPaths}`);
}

export function assertUnchanged(fileSystem: BoundedFileSystem, image: Image, call: string): void {
  if (!isSameImage(imageOf(fileSystem.disk), image)) {
    throw new Violation(`${call} changes files`);
  }
}

/** An open that fails leaves every file of the log as it was. */
function assertDataUnchanged(fileSystem: BoundedFileSystem, { image, key }: Case): void {
  const ofLog = (all: Image) =>
    new Map([...all].filter(([path]) => path.startsWith(`logs/${key}/`)));
  if (!isSameImage(ofLog(imageOf(fileSystem.disk)), ofLog(image))) {
    throw new Violation("opening for writing fails, and changes the log");
  }
}
