import { join } from "node:path";
import { LogStore } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import { closedLoop } from "./closed-loop.js";
import { unsyncedFiles } from "./unsynced-files.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

const COMMITS = 200_000;
const CALLERS = 64;

/** Commits of one consumer group, each of one key, over few keys and over many. */
export function commits(): Workload {
  const contender = (name: string, keyCount: number): Contender => ({
    name,
    kind: "seglog",
    run: (place) => seglog(place, keyCount),
  });
  return {
    name: "commits",
    title: `Commit the next offset of one of 10 or 100,000 keys, ${CALLERS} in flight, not synced`,
    unit: "commits/s",
    targets: [],
    contenders: [contender("10 keys", 10), contender("100,000 keys", 100_000)],
  };
}

async function seglog(place: Place, keyCount: number): Promise<Measured> {
  // Nothing that is measured waits for a sync; with syncs, making the keys would take an hour.
  const environment = createEnvironment(unsyncedFiles);
  const directory = join(place.directory, "store");
  const store = await LogStore.openOn(environment, directory, { durability: "os" });
  const names = Array.from({ length: place.amount(keyCount) }, (_, index) => `key-${index}`);
  const count = place.amount(COMMITS, names.length);
  const each = count / names.length;
  const batch = Array.from({ length: each }, () => "x");
  await closedLoop(names.length, CALLERS, (index) => store.appendBatch(names[index]!, batch));
  const group = store.group("bench");
  const rate = await place.rate(count, () =>
    closedLoop(count, CALLERS, (index) => {
      const next = 1 + Math.floor(index / names.length);
      return group.commit({ [names[index % names.length]!]: next });
    }),
  );
  for (const [name, next] of await group.committed()) {
    if (next !== each) throw new Error(`${name} is committed to ${next}, not to ${each}`);
  }
  await store.close();
  return rate;
}
