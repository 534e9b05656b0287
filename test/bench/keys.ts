import { join } from "node:path";
import { LogStore } from "../../src/index.js";
import { closedLoop } from "./closed-loop.js";
import { openLmdbByBytes } from "./lmdb.js";
import type { Records } from "./records.js";
import type { Target } from "./target.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

const CALLERS = 1024;
const MOST_KEYS = 10_000;
/** Making a key takes syncs; more at a time share the disk better. */
const MAKERS = 64;

/** What a workload of many keys is about. */
export interface Keys {
  readonly name: string;
  readonly records: Records;
  readonly isSynced: boolean;
  /** How many records are appended, by how many keys they are spread over. */
  readonly counts: Readonly<Record<1 | 100 | 10_000, number>>;
  /** Of lmdb. */
  readonly peerCount: number;
  readonly targets: readonly Target[];
}

/** Single appends to a store, spread over its keys in turn. */
export function keys(options: Keys): Workload {
  const { name, records, isSynced, counts, targets } = options;
  const contender = (who: string, keyCount: keyof typeof counts): Contender => ({
    name: who,
    kind: "seglog",
    run: (place) => seglog(place, options, keyCount, counts[keyCount]),
  });
  return {
    name,
    title:
      `Append ${records.byteLength} B singly to keys in turn, ${CALLERS} in flight, ` +
      `${isSynced ? "synced" : "not synced"}`,
    unit: "records/s",
    isSynced,
    targets,
    contenders: [
      contender("1 key", 1),
      contender("100 keys", 100),
      contender("10,000 keys", MOST_KEYS),
      {
        name: "lmdb, 10,000 keys",
        kind: "peer",
        peer: "lmdb",
        run: (place) => lmdb(place, options),
      },
    ],
  };
}

/** The same, synced, by nobody and by producers, who number what they append to each key. */
export function producersKeys(
  name: string,
  records: Records,
  counts: Readonly<Record<100 | 10_000, number>>,
  targets: readonly Target[],
): Workload {
  const options = { records, isSynced: true };
  const contender = (who: string, keyCount: keyof typeof counts, id?: bigint): Contender => ({
    name: who,
    kind: "seglog",
    run: (place) => seglog(place, options, keyCount, counts[keyCount], id),
  });
  return {
    name,
    title: `Append ${records.byteLength} B singly to keys in turn, as producers, ${CALLERS} in flight, synced`,
    unit: "records/s",
    isSynced: true,
    targets,
    contenders: [
      contender("100 keys, producers", 100, 1n),
      contender("100 keys", 100),
      contender("10,000 keys, producers", MOST_KEYS, 1n),
      contender("10,000 keys", MOST_KEYS),
    ],
  };
}

async function seglog(
  place: Place,
  { records, isSynced }: Pick<Keys, "records" | "isSynced">,
  keyCount: number,
  fullCount: number,
  producerId?: bigint,
): Promise<Measured> {
  const store = await LogStore.open(join(place.directory, "store"), {
    durability: isSynced ? "always" : "os",
  });
  const names = Array.from({ length: place.amount(keyCount) }, (_, index) => `key-${index}`);
  const first = Buffer.from("made");
  await closedLoop(names.length, MAKERS, (index) => store.append(names[index]!, first));
  const count = place.amount(fullCount);
  const rate = await place.rate(count, () =>
    closedLoop(count, CALLERS, (index) => {
      const sequence = Math.floor(index / names.length);
      const options =
        producerId === undefined ? undefined : { producer: { id: producerId, epoch: 0, sequence } };
      return store.append(names[index % names.length]!, records.at(index), options);
    }),
  );
  for (const index of records.sample(count)) {
    const log = await store.log(names[index % names.length]!);
    records.check(index, log.readSync(1 + Math.floor(index / names.length)).value);
  }
  await store.close();
  return rate;
}

async function lmdb(place: Place, { records, isSynced, peerCount }: Keys): Promise<Measured> {
  const database = openLmdbByBytes(join(place.directory, "lmdb"), isSynced);
  const keyCount = place.amount(MOST_KEYS);
  const count = place.amount(peerCount);
  const keyOf = (index: number) => {
    const key = Buffer.allocUnsafe(8);
    key.writeUInt32BE(index % keyCount);
    key.writeUInt32BE(Math.floor(index / keyCount), 4);
    return key;
  };
  const rate = await place.rate(count, () =>
    closedLoop(count, CALLERS, (index) => database.put(keyOf(index), records.at(index))),
  );
  for (const index of records.sample(count)) records.check(index, database.get(keyOf(index)));
  await database.close();
  return rate;
}
