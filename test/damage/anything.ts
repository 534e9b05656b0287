import { join } from "node:path/posix";
import { verifyStore } from "../../src/cli/verify-store.js";
import { SeglogError } from "../../src/errors.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { assertUnchanged } from "./examine.js";
import { BoundedFileSystem, type Image, imageOf, isSameImage, STORE } from "./image.js";
import { readEverything, typed, Violation } from "./look.js";
import { type Moment, OPTIONS } from "./sample.js";

/** A store some of whose files are not what they were. */
export interface Mixture {
  /** What it should hold. */
  readonly moment: Moment;
  readonly image: Image;
  /** Of the files that were changed, removed or swapped. */
  readonly paths: readonly string[];
  /** Whether nothing on disk can tell that anything is wrong. */
  readonly isSilent: boolean;
}

/**
 * Does everything with a store of which nothing is known but that some files are wrong: what is
 * read must be right, or fail with a code, and `verify` must tell if anything is not as it was.
 */
export async function examineAnything(mixture: Mixture): Promise<void> {
  const seen: string[] = [];
  for (const readOnly of [true, false]) {
    const call = readOnly ? "reading" : "writing";
    const fileSystem = new BoundedFileSystem(mixture.image);
    const told = await look(mixture, fileSystem, readOnly);
    if (fileSystem.isExhausted) throw new Violation(`${call} hangs`);
    if (fileSystem.openPaths.length > 0) throw new Violation(`${call} leaves files open`);
    seen.push(...told.map((each) => `${call}: ${each}`));
    if (readOnly && !isSameImage(imageOf(fileSystem.disk), mixture.image)) {
      throw new Violation("reading changes files");
    }
  }
  const found = await namedByVerify(mixture);
  if (mixture.isSilent) return;
  if (seen.length > 0 && !mixture.paths.some((path) => found.some((each) => names(each, path)))) {
    throw new Violation(`verify says ${found.join("; ") || "nothing"}, but ${seen.join("; ")}`);
  }
}

/** Whether a finding is about a file: it names it, or is about the log that lacks it. */
function names(found: string, path: string): boolean {
  return found.includes(join(STORE, path)) || /missing/.test(found);
}

/** Reads everything, and returns how what it gives differs from what was there. */
async function look(
  { moment }: Mixture,
  fileSystem: BoundedFileSystem,
  readOnly: boolean,
): Promise<string[]> {
  const differences: string[] = [];
  const attempt = async <T>(call: string, run: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await run();
    } catch (thrown) {
      const error = typed(thrown, call);
      if (error.code === "IO_ERROR") throw new Violation(`${call}: ${error.message}`);
      differences.push(`${call}: ${error.code} ${error.message}`);
      return undefined;
    }
  };
  const store = await attempt("open", () =>
    LogStore.openOn(createEnvironment(fileSystem), STORE, { ...OPTIONS, readOnly }),
  );
  if (store === undefined) return differences;
  for (const [key, truth] of moment.logs) {
    fileSystem.rest();
    const log = await attempt(`log ${key}`, () => existing(store, key));
    if (log === undefined) continue;
    // What was before the start may come back with older metadata: no other records, though.
    const answers = await readEverything(log, truth, "thorough");
    for (const { call, offset, error } of answers) {
      if (error !== undefined) differences.push(`${key} ${call} ${offset}: ${error.code}`);
    }
    const bounds = `${log.startOffset} to ${log.endOffset}`;
    const right = `${truth.startOffset} to ${truth.endOffset}`;
    if (bounds !== right) differences.push(`${key}: ${bounds} instead of ${right}`);
  }
  for (const [group, right] of moment.committed) {
    fileSystem.rest();
    for (const [key, next] of right) {
      const call = `committed ${group} ${key}`;
      const found = await attempt(call, async () =>
        (await store.group(group).committed([key])).get(key),
      );
      if (found === next || found === undefined) continue;
      differences.push(`${call}: ${found} instead of ${next}`);
      if (found > next && group !== "h")
        throw new Violation(`${call}: ${found} skips from ${next}`);
    }
  }
  await attempt("close", () => store.close());
  return differences;
}

async function existing(store: LogStore, key: string): Promise<CommitLog> {
  if (store.keys().includes(key)) return store.log(key);
  throw new SeglogError("KEY_NOT_FOUND", key);
}

async function namedByVerify({ image }: Mixture): Promise<string[]> {
  const fileSystem = new BoundedFileSystem(image);
  let told: string[];
  try {
    const { findings } = await verifyStore(createEnvironment(fileSystem), STORE, () => undefined);
    told = findings
      .filter(({ level }) => level !== "note")
      .map(({ level, file, message }) => `${level} ${file}: ${message}`);
  } catch (thrown) {
    told = [typed(thrown, "verify").message];
  }
  assertUnchanged(fileSystem, image, "verify");
  return told;
}
