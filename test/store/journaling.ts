import { expect, onTestFinished } from "vitest";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore, type StoreOptions } from "../../src/store/log-store.js";
import { FaultyFileSystem, type Operation } from "../support/faulty-file-system.js";
import type { Hold } from "../support/hold.js";
import { kill, textsIn } from "./stores.js";

export const JOURNAL = /\/\.journal\/\d+\.log$/;
export const SEGMENT = /\/logs\/[a-z0-9]+\/\d+\.log$/;
export const KEYS = ["a", "b", "c", "d"];

export interface Setting {
  readonly fileSystem?: FaultyFileSystem;
  /** From so many appends at once on, logs share the journal. */
  readonly journalFrom?: number;
  readonly settleBytes?: number;
  readonly journalSegmentBytes?: number;
  readonly smallWriteBytes?: number;
  readonly now?: () => number;
}

/** A store whose logs write to the journal first, whenever they can. */
export async function openJournaling(
  directory: string,
  options: StoreOptions = {},
  { fileSystem = new FaultyFileSystem(), journalFrom = 0, now, ...setting }: Setting = {},
): Promise<LogStore> {
  const world = createEnvironment(fileSystem, options.maxOpenFiles, now);
  const environment = { ...world, journalFrom, ...setting };
  const store = await LogStore.openOn(environment, directory, options);
  onTestFinished(async () => {
    await store.close().catch(() => undefined);
  });
  // Until there is a journal, logs write to their own segments.
  if (journalFrom > 0 || (options.durability ?? "always") !== "always") return store;
  while (fileSystem.countOf("write", JOURNAL) < 2) await store.append("warm-up", "");
  return store;
}

/** The store as another process reads it; it is closed with the test. */
export async function openReader(
  directory: string,
  fileSystem = new FaultyFileSystem(),
  maxOpenFiles?: number,
): Promise<LogStore> {
  const environment = createEnvironment(fileSystem, maxOpenFiles);
  const reader = await LogStore.openOn(environment, directory, { readOnly: true });
  onTestFinished(async () => {
    await reader.close().catch(() => undefined);
  });
  return reader;
}

/** Appends to each key in turn until each has so many records: `a 0`, `a 1` and so on. */
export async function appendTo(
  store: LogStore,
  keys: readonly string[],
  count: number,
): Promise<void> {
  for (;;) {
    const appends: Promise<number>[] = [];
    for (const key of keys) {
      const next = (await store.bounds(key))?.endOffset ?? 0;
      if (next < count) appends.push(store.append(key, `${key} ${next}`));
    }
    if (appends.length === 0) return;
    await Promise.all(appends);
  }
}

/** Lets the journal grow, by appends to a key, until something waits at the gate. */
export async function growUntil(
  store: LogStore,
  { reached }: Hold<Operation>,
  key = "b",
  value = "x",
): Promise<void> {
  let isReached = false;
  const reaching = reached.then(() => {
    isReached = true;
  });
  while (!isReached) await Promise.race([reaching, store.append(key, value)]);
}

export function expected(key: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${key} ${index}`);
}

export async function expectAll(
  store: LogStore,
  keys: readonly string[],
  count: number,
): Promise<void> {
  for (const key of keys) expect(await textsIn(store, key)).toEqual(expected(key, count));
}

/** Leaves what a process that was killed leaves: records in the journal that segments lack. */
export async function leaveJournaled(directory: string, count: number): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const store = await openJournaling(directory, {}, { fileSystem });
  await appendTo(store, KEYS, count);
  await kill(store, fileSystem);
}
