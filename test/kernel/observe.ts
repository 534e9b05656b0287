import { LogStore, type StoreOptions } from "../../src/index.js";
import type { Random } from "../support/random.js";
import type { ObservedLog } from "./key-model.js";
import type { ObservedStore } from "./store-model.js";

/** Records of each log that are also read one by one, through the index. */
const POINT_READS = 12;

/**
 * Opens a store, which recovers it unless `readOnly`, reads all there is by the public interface,
 * and closes it.
 *
 * @throws SeglogError if anything cannot be opened or read; Error if two ways of reading differ.
 */
export async function observeStore(
  directory: string,
  options: Pick<StoreOptions, "readOnly">,
  random: Random,
): Promise<ObservedStore> {
  const store = await LogStore.open(directory, options);
  try {
    const logs = new Map<string, ObservedLog>();
    const groups = new Map<string, ReadonlyMap<string, number>>();
    // Before or after the logs are opened: it must say the same.
    const asksFirst = random.next() < 0.5;
    if (asksFirst) for (const name of await store.groups()) groups.set(name, await offsets(name));
    for (const key of store.keys()) logs.set(key, await observeLog(store, key, random));
    if (!asksFirst) for (const name of await store.groups()) groups.set(name, await offsets(name));
    return { logs, groups };
  } finally {
    await store.close();
  }

  function offsets(name: string): Promise<Map<string, number>> {
    return store.group(name).committed();
  }
}

async function observeLog(store: LogStore, key: string, random: Random): Promise<ObservedLog> {
  const log = await store.log(key);
  const { startOffset, endOffset } = log;
  const values: Uint8Array[] = [];
  // Not further: its writer may be alive.
  for await (const batch of log.batches({ to: endOffset })) {
    for (const { offset, value } of batch) {
      if (offset !== startOffset + values.length) throw new Error(`${key}: a hole at ${offset}`);
      values.push(value);
    }
  }
  if (values.length !== endOffset - startOffset) {
    throw new Error(`${key}: ${values.length} records in [${startOffset}, ${endOffset})`);
  }
  for (let count = Math.min(POINT_READS, values.length); count > 0; count--) {
    const offset = startOffset + random.below(values.length);
    const { value } = await log.read(offset);
    if (Buffer.compare(value, values[offset - startOffset]!) === 0) continue;
    throw new Error(`${key}: a point read of ${offset} gives another record than a scan`);
  }
  const bytes = log.segments().reduce((sum, segment) => sum + segment.bytes, 0);
  return { startOffset, endOffset, values, bytes };
}
