import { join } from "node:path";
import { CommitLog, LogStore } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A moment that {@link file://./program.ts} leaves as it is: 2020-09-13T12:26:40Z. */
export const NOON = 1_600_000_000_000;

/** A directory with a log `events`: 3 segments of 20 records each, closed cleanly. */
export async function withLog(): Promise<string> {
  const cwd = temporaryDirectory();
  const log = await CommitLog.open(join(cwd, "events"), {
    segmentBytes: 1400,
    blockBytes: 512,
    indexIntervalBytes: 256,
    durability: "os",
  });
  for (let offset = 0; offset < 60; offset += 10) {
    const records = Array.from({ length: 10 }, (_, index) => ({
      value: `event ${offset + index} ${".".repeat(30)}`,
      timestamp: NOON + (offset + index) * 1000,
    }));
    await log.appendBatch(records);
  }
  await log.close();
  return cwd;
}

/** Names and values that would harm a terminal. */
export const EVIL = "\u001b[31mred\u202e\u200b\u007f\u0085";

/** A directory with a store `store` of three keys, and two consumer groups. */
export async function withStore(): Promise<string> {
  const cwd = temporaryDirectory();
  const store = await LogStore.open(join(cwd, "store"), { durability: "os" });
  for (const [key, count] of [
    ["orders", 12],
    ["päyments", 5],
    [`evil${EVIL}`, 1],
  ] as const) {
    const records = Array.from({ length: count }, (_, index) => ({
      value: `${key} ${index}`,
      key: `id-${index}`,
      timestamp: NOON + index,
    }));
    await store.appendBatch(key, records);
  }
  await store.group("billing").commit({ orders: 10, päyments: 5 });
  await store.group("mail").commit({ orders: 12 });
  await store.close();
  return cwd;
}
