import { onTestFinished } from "vitest";
import type { LogRecord } from "../../src/format/record.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore, type StoreOptions } from "../../src/store/log-store.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";

/** Opens a store on a file system of the test's; it is closed with the test, if that did not. */
export async function openStore(
  directory: string,
  options: StoreOptions = {},
  fileSystem = new FaultyFileSystem(),
): Promise<LogStore> {
  const environment = createEnvironment(fileSystem, options.maxOpenFiles);
  const store = await LogStore.openOn(environment, directory, options);
  onTestFinished(async () => {
    await store.close().catch(() => undefined);
  });
  return store;
}

/** Kills the process that has `store` open on `fileSystem`: nothing is synced or closed. */
export async function kill(store: LogStore, fileSystem: FaultyFileSystem): Promise<void> {
  await fileSystem.die();
  await store.close().catch(() => undefined);
}

/** Opens a store, lets `use` work with it, and kills its process. */
export async function leaveUnclean(
  directory: string,
  options: StoreOptions,
  use: (store: LogStore) => Promise<unknown>,
): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const store = await openStore(directory, options, fileSystem);
  await use(store);
  await kill(store, fileSystem);
}

/** Appends `count` records to a key, in one batch. */
export async function fill(store: LogStore, key: string, count: number): Promise<void> {
  await store.appendBatch(
    key,
    Array.from({ length: count }, (_, index) => `${key} ${index}`),
  );
}

export function textsOf(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => new TextDecoder().decode(value));
}

/** All values of a key as text. */
export async function textsIn(store: LogStore, key: string): Promise<string[]> {
  return textsOf((await store.read(key, 0)).records);
}
