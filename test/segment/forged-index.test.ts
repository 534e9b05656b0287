import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checksum } from "../../src/format/checksum.js";
import { openLog, segmentPath, textOf, valueAt } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const ENTRIES_AT = 104;

/** Changes the entries of an index and makes both checksums right, as no damage does. */
function forgeEntries(path: string, change: (entries: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes.subarray(ENTRIES_AT));
  bytes.writeUInt32LE(checksum(bytes.subarray(ENTRIES_AT)), 20);
  bytes.writeUInt32LE(checksum(bytes.subarray(4, ENTRIES_AT)), 0);
  writeFileSync(path, bytes);
}

describe("an offset index that is wrong though its checksums are right", () => {
  it.each<[string, (entries: Buffer) => void]>([
    [
      "positions behind the file",
      (entries) => everyEntry(entries, (at) => entries.writeUInt32LE(2 ** 32 - 1, at + 4)),
    ],
    [
      "positions at the end",
      (entries) => everyEntry(entries, (at) => entries.writeUInt32LE(1_000_000, at + 4)),
    ],
    ["positions of 0", (entries) => everyEntry(entries, (at) => entries.writeUInt32LE(0, at + 4))],
    [
      "positions one off",
      (entries) =>
        everyEntry(entries, (at) =>
          entries.writeUInt32LE(entries.readUInt32LE(at + 4) + 1, at + 4),
        ),
    ],
    [
      "positions of other blocks",
      (entries) =>
        everyEntry(entries, (at) =>
          entries.writeUInt32LE(entries.readUInt32LE(entries.length - 4), at + 4),
        ),
    ],
    [
      "offsets that go back",
      (entries) => everyEntry(entries, (at) => entries.writeUInt32LE(5, at)),
    ],
    [
      "offsets of 2^32 - 1",
      (entries) => everyEntry(entries, (at) => entries.writeUInt32LE(2 ** 32 - 1, at)),
    ],
    [
      "random entries",
      (entries) =>
        everyEntry(entries, (at) => entries.writeUInt32LE((at * 2654435761) >>> 0, at + 4)),
    ],
  ])("with %s leads no reader astray", async (_what, change) => {
    const directory = newPath();
    const options = { blockBytes: 256, indexIntervalBytes: 64, segmentBytes: 8000 };
    const log = await openLog(directory, options);
    const count = 300;
    await log.appendBatch(Array.from({ length: count }, (_, index) => valueAt(index)));
    for (let offset = count; offset < 2 * count; offset++) await log.append(valueAt(offset));
    const bases = log.segments().map(({ baseOffset }) => baseOffset);
    await log.close();
    for (const base of bases) {
      forgeEntries(segmentPath(directory, base, "offsetIndex"), change);
    }
    for (const readOnly of [true, false]) {
      for (const offset of [0, 1, 17, 150, 299, 300, 301, 450, 599]) {
        // Opened anew, so that each read meets the index as it is on the disk.
        const fresh = await openLog(directory, { ...options, readOnly });
        expect(textOf((await fresh.read(offset)).value)).toBe(valueAt(offset));
        expect(textOf(fresh.readSync(offset).value)).toBe(valueAt(offset));
        const [first] = await fresh.readFrom(offset, { maxRecords: 1 });
        expect(first?.offset).toBe(offset);
        await fresh.close();
      }
    }
  });
});

function everyEntry(entries: Buffer, change: (at: number) => void): void {
  for (let at = 0; at < entries.length; at += 8) change(at);
}
