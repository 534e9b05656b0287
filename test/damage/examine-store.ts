import { join } from "node:path/posix";
import { verifyStore } from "../../src/cli/verify-store.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { assertAtRest, assertNamed, assertTold, assertUnchanged } from "./examine.js";
import { BoundedFileSystem, type Image, STORE } from "./image.js";
import { readEverything, typed, Violation } from "./look.js";
import { type Moment, OPTIONS } from "./sample.js";
import type { StoreOutcome } from "./store-outcomes.js";

/** A store one of whose own files is damaged. */
export interface StoreCase {
  readonly image: Image;
  readonly path: string;
  readonly moment: Moment;
}

/** Opens the store, asks for all committed offsets, and reads the log of `key`. */
export async function examineStore(
  one: StoreCase,
  outcome: StoreOutcome,
  key: string,
  readOnly: boolean,
): Promise<void> {
  const fileSystem = new BoundedFileSystem(one.image);
  const store = await open(one, outcome, fileSystem, readOnly);
  if (store !== undefined) {
    await assertCommitted(store, outcome, one.moment);
    fileSystem.rest();
    const truth = one.moment.logs.get(key)!;
    const answers = await readEverything(await store.log(key), truth, "once");
    for (const { call, offset, error } of answers) {
      if (error !== undefined) throw new Violation(`${call} ${offset}: ${error.message}`);
    }
    if (!readOnly) {
      // A commit goes on from the state that counts, and keeps it.
      await store.group("new").commit({ [key]: 1 });
      await store.close();
      fileSystem.rest();
      const again = await open(one, outcome, fileSystem, true);
      await assertCommitted(again!, outcome, one.moment);
      await again!.close();
    }
    await store.close();
  }
  assertAtRest(fileSystem);
  if (readOnly) assertUnchanged(fileSystem, one.image, "reading");
}

async function open(
  one: StoreCase,
  { opens }: StoreOutcome,
  fileSystem: BoundedFileSystem,
  readOnly: boolean,
): Promise<LogStore | undefined> {
  let store: LogStore;
  try {
    const environment = createEnvironment(fileSystem);
    store = await LogStore.openOn(environment, STORE, { ...OPTIONS, readOnly });
  } catch (thrown) {
    const error = typed(thrown, "opening the store");
    if (opens) throw new Violation(`the store does not open: ${error.message}`);
    assertNamed(error, one, "opening the store");
    return undefined;
  }
  if (!opens) throw new Violation("the store opens, and should not");
  return store;
}

async function assertCommitted(
  store: LogStore,
  { committed }: StoreOutcome,
  moment: Moment,
): Promise<void> {
  for (const group of moment.committed.keys()) {
    const found = await store.group(group).committed();
    const right = committed.get(group) ?? new Map<string, number>();
    const isRight =
      found.size === right.size && [...right].every(([key, next]) => found.get(key) === next);
    if (isRight) continue;
    const show = (offsets: ReadonlyMap<string, number>) => JSON.stringify([...offsets]);
    throw new Violation(`group ${group} has ${show(found)} instead of ${show(right)}`);
  }
}

/** Runs the scan of `seglog verify` over the whole store. */
export async function examineStoreVerify(one: StoreCase, outcome: StoreOutcome): Promise<void> {
  const fileSystem = new BoundedFileSystem(one.image);
  const environment = createEnvironment(fileSystem);
  const { findings } = await verifyStore(environment, STORE, () => undefined);
  assertAtRest(fileSystem);
  assertUnchanged(fileSystem, one.image, "verify");
  assertTold(findings, join(STORE, one.path), outcome.verify);
}
