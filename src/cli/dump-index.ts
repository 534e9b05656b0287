import {
  decodeIndexFile,
  decodeIndexHeader,
  INDEX_HEADER_BYTES,
  OFFSET_ENTRY_BYTES,
  OFFSET_INDEX_MAGIC,
  type SegmentSummary,
  TIME_ENTRY_BYTES,
  TIME_INDEX_MAGIC,
} from "../format/index-file.js";
import { OffsetIndex } from "../segment/offset-index.js";
import { TimeIndex } from "../segment/time-index.js";
import { formatTime, count as plural } from "./display.js";
import type { DumpPrinter } from "./dump-printer.js";

/** Dumps an index file; entries are shown also where a checksum does not match. */
export async function dumpIndex(
  printer: DumpPrinter,
  bytes: Uint8Array,
  isTime: boolean,
): Promise<void> {
  const magic = isTime ? TIME_INDEX_MAGIC : OFFSET_INDEX_MAGIC;
  const header = decodeIndexHeader(bytes, magic);
  let baseOffset = 0;
  if ("kind" in header) {
    await printer.invalid(0, header.reason, "; offsets below are relative to the segment");
  } else {
    baseOffset = header.summary.baseOffset;
    await printer.line(`0: ${describeSummary(header.summary, header.entryCount)}, valid`);
    const whole = decodeIndexFile(bytes, magic);
    if ("kind" in whole) await printer.invalid(INDEX_HEADER_BYTES, whole.reason);
  }
  const entryBytes = isTime ? TIME_ENTRY_BYTES : OFFSET_ENTRY_BYTES;
  const rest = Math.max(bytes.length - INDEX_HEADER_BYTES, 0);
  const count = Math.floor(rest / entryBytes);
  const entries = bytes.subarray(INDEX_HEADER_BYTES, INDEX_HEADER_BYTES + count * entryBytes);
  const line = isTime ? timeLine(entries, baseOffset) : offsetLine(entries, baseOffset);
  for (let entry = 0; entry < count; entry++) {
    await printer.line(`${INDEX_HEADER_BYTES + entry * entryBytes}: ${line(entry)}`);
  }
  await printer.line(`${bytes.length}: end, ${plural(count, "entry", "entries")}`);
}

function offsetLine(entries: Uint8Array, baseOffset: number): (entry: number) => string {
  const index = OffsetIndex.decode(entries);
  return (entry) =>
    `offset ${baseOffset + index.relativeOffsetAt(entry)} at position ${index.positionAt(entry)}`;
}

function timeLine(entries: Uint8Array, baseOffset: number): (entry: number) => string {
  const index = TimeIndex.decode(entries);
  return (entry) =>
    `${formatTime(index.timestampAt(entry))} at the latest before offset ` +
    `${baseOffset + index.relativeOffsetAt(entry)}`;
}

function describeSummary(summary: SegmentSummary, entryCount: number): string {
  return [
    `index header, base offset ${summary.baseOffset}`,
    `end offset ${summary.endOffset}`,
    `end position ${summary.endPosition}`,
    `${plural(summary.records, "record")} in ${plural(summary.batches, "batch", "batches")} and ` +
      plural(summary.blocks, "block"),
    `${summary.bodyBytes} bytes uncompressed`,
    `${formatTime(summary.minTimestamp)} to ${formatTime(summary.maxTimestamp)}`,
    plural(entryCount, "entry", "entries"),
  ].join(", ");
}
