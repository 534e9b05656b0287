/** Logs that are looked at together. */
const LOOKUPS_AT_A_TIME = 16;

/** Runs `run`, which looks at a log, for each key, a few at a time. */
export async function forEachKey(
  keys: readonly string[],
  run: (key: string) => Promise<void>,
): Promise<void> {
  const rest = keys.values();
  const some = async () => {
    for (const key of rest) await run(key);
  };
  await Promise.all(Array.from({ length: LOOKUPS_AT_A_TIME }, some));
}
