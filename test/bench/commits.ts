import { join } from "node:path";
import { LogStore } from "../../src/index.js";
import { closedLoop } from "./closed-loop.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

const COMMITS = 200_000;
const CALLERS = 64;
/** Making a key takes syncs; more at a time share the disk better. */
const MAKERS = 64;

/**
 * Commits of one consumer group, each of one key, over few keys and over many. Many are 5,000: a
 * key takes some milliseconds to be made, closed and removed, and with more of them a round would
 * take longer than a minute.
 */
export function commits(): Workload {
  const contender = (name: string, keyCount: number): Contender => ({
    name,
    kind: "seglog",
    run: (place) => seglog(place, keyCount),
  });
  return {
    name: "commits",
    title: `Commit the next offset of one of 10 or 5,000 keys, ${CALLERS} in flight, not synced`,
    unit: "commits/s",
    targets: [],
    contenders: [contender("10 keys", 10), contender("5,000 keys", 5000)],
  };
}

async function seglog(place: Place, keyCount: number): Promise<Measured> {
  const store = await LogStore.open(join(place.directory, "store"), { durability: "os" });
  const names = Array.from({ length: place.amount(keyCount) }, (_, index) => `key-${index}`);
  const count = place.amount(COMMITS, names.length);
  const each = count / names.length;
  const batch = Array.from({ length: each }, () => "x");
  await closedLoop(names.length, MAKERS, (index) => store.appendBatch(names[index]!, batch));
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
