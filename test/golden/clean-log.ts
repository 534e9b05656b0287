import { CommitLog } from "../../src/log/commit-log.js";
import type { LogEnvironment } from "../../src/log/environment.js";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Every kind of record and block that this version writes, and a log that was closed properly. */
export async function writeCleanLog(environment: LogEnvironment, directory: string): Promise<void> {
  const small = { segmentBytes: 1200, blockBytes: 256, indexIntervalBytes: 64 };
  const plain = await CommitLog.openOn(environment, directory, small);
  await plain.append("first record");
  await plain.append("");
  await plain.append(Uint8Array.of(0, 1, 2, 0x80, 0xfe, 0xff));
  await plain.append({ value: "pizza", key: "order-7", timestamp: 1_000 });
  const headers: [string, string | Uint8Array][] = [
    ["type", "created"],
    ["type", "again"],
    ["ключ 🔑", Uint8Array.of(0xff, 0x00)],
    ["empty", ""],
    ["", "no name"],
  ];
  await plain.append({ value: "with headers", headers });
  await plain.append({ value: "", key: "", headers: [] });
  // One atomic batch of several blocks; its records are structured from the third one on.
  const batch = Array.from({ length: 12 }, (_, index) => `batch record ${index} ${"=".repeat(40)}`);
  await plain.appendBatch([...batch.slice(0, 2), { value: "keyed", key: "k" }, ...batch.slice(2)]);
  // A key of 200 bytes: its length takes two bytes as a varint.
  await plain.append({ value: "long key", key: "k".repeat(200) });
  await plain.close();

  const compressing = { ...small, blockBytes: 1024, compression: "lz4" } as const;
  const log = await CommitLog.openOn(environment, directory, compressing);
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}: ${"seglog ".repeat(30)}`);
  await log.appendBatch(lines.slice(0, 10));
  // A run of one byte, longer than the window of a single LZ4 length byte.
  await log.append("a".repeat(700));
  // Saves nothing when compressed, so it is stored as it is.
  await log.append(Uint8Array.from({ length: 64 }, (_, index) => (index * 167 + 13) & 0xff));
  // Timestamps that go back, and two that are too far apart for one block.
  const at = 1_767_225_600_000;
  await log.appendBatch([
    { value: "later", timestamp: at + HOUR_MS },
    { value: "earlier", timestamp: at - HOUR_MS },
    { value: "between", timestamp: at },
    { value: "a year later", timestamp: at + YEAR_MS, key: "k" },
    { value: "long ago", timestamp: 0, key: "k" },
  ]);
  await log.appendBatch(lines);
  // Through the middle of that batch: its beginning stays.
  await log.truncateTo(log.endOffset - 7);
  await log.append("after the truncation");
  await log.appendBatch(lines.slice(0, 3));
  // The first segment goes, and the start lies inside of the second.
  const [, second] = log.segments();
  await log.deleteBefore(second!.baseOffset + 2);
  await log.close();
}
