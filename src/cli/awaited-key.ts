import { LogStore } from "../index.js";
import type { LogEnvironment } from "../log/environment.js";

/** Tells that a command waits: the key may be misspelt. */
export function waitingFor(where: string, key: string): string {
  return `${where} has no key ${JSON.stringify(key)} yet: waiting for it to be made`;
}

/** Resolves when a store has a key, whose log can be opened then; rejects as the signal says. */
export async function keyMade(
  environment: LogEnvironment,
  directory: string,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  await using store = await LogStore.openOn(environment, directory, { readOnly: true });
  while ((await store.existing(key)) === undefined) {
    signal.throwIfAborted();
    await store.made(key, signal);
  }
}
