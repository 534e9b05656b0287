// A process that writes to a store and is made to die of it. It tells the judge, on standard output,
// what was acknowledged. A line on standard input asks it to close the store; the end of standard
// input means that the judge is gone.

import { createInterface } from "node:readline";
import { LogStore } from "../../src/index.js";
import { Actors } from "./actors.js";
import { codeOf, tell } from "./telling.js";
import type { Workload } from "./workload.js";

/** No life is meant to be nearly as long. */
const LONGEST_LIFE_MS = 120_000;

setTimeout(() => process.exit(4), LONGEST_LIFE_MS).unref();
const closing = new AbortController();
createInterface({ input: process.stdin })
  .on("line", () => closing.abort())
  .on("close", () => process.exit(3));
process.exitCode = await main(JSON.parse(process.argv[2]!) as Workload);
process.stdin.destroy();

async function main(workload: Workload): Promise<number> {
  tell({ type: "started", pid: process.pid });
  let store: LogStore;
  try {
    const { directory, durability, options } = workload;
    const onError = (error: unknown) => tell({ type: "told", code: codeOf(error) });
    store = await LogStore.open(directory, { ...options, durability, onError });
  } catch (error) {
    tell({ type: "opened", code: codeOf(error) });
    return 2;
  }
  tell({ type: "opened" });
  if (workload.greets) await greet(store);
  const actors = new Actors(store, workload, closing.signal);
  await actors.run();
  await actors.change({ kind: "close" }, () => store.close());
  return 0;
}

/** Opens every log, all at once, which recovers it. */
async function greet(store: LogStore): Promise<void> {
  const look = async (key: string) => {
    try {
      const bounds = (await store.bounds(key))!;
      tell({ type: "bounds", key, ...bounds });
    } catch (error) {
      tell({ type: "bounds", key, startOffset: 0, endOffset: 0, code: codeOf(error) });
    }
  };
  await Promise.all(store.keys().map(look));
}
