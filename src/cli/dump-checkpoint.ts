import {
  type CheckpointEntry,
  decodeCheckpointHeader,
  decodeFrame,
} from "../format/checkpoint-frame.js";
import { count, hex } from "./display.js";
import type { DumpPrinter } from "./dump-printer.js";

/** Dumps `committed-offsets`, frame by frame, up to the first that is not valid. */
export async function dumpCheckpoint(printer: DumpPrinter, bytes: Uint8Array): Promise<void> {
  const header = decodeCheckpointHeader(bytes);
  if ("kind" in header) {
    await printer.invalid(0, header.reason);
    return;
  }
  await printer.line(`0: checkpoint of store ${hex(header.storeId)}, checksum valid`);
  let position = header.headerLength;
  let previous = header.checksum;
  for (;;) {
    const frame = decodeFrame(bytes, position, previous);
    if (frame === undefined) break;
    if (typeof frame === "string" || "kind" in frame) {
      const left = bytes.length - position;
      const reason = typeof frame === "string" ? frame : frame.reason;
      await printer.invalid(position, reason, `; the last ${left} bytes are not used`);
      break;
    }
    const { entries, length } = frame;
    await printer.line(
      `${position}: frame, ${count(entries.length, "entry", "entries")}, ${length} bytes, valid`,
    );
    for (const entry of entries) await printer.line(`  ${describeEntry(entry, printer)}`);
    position += length;
    previous = frame.checksum;
  }
  await printer.line(`${position}: end of what is used`);
}

function describeEntry(entry: CheckpointEntry, printer: DumpPrinter): string {
  switch (entry.kind) {
    case "committed": {
      const { group, key, logId, next } = entry;
      const names = `group ${printer.text(group)}  key ${printer.text(key)}`;
      return `${names}  log ${logId}  next offset ${next}`;
    }
    case "key deleted":
      return `key ${printer.text(entry.key)} was deleted`;
    case "producer opened":
      return `producer ${printer.text(entry.name)}  id ${entry.id}  epoch ${entry.epoch}, the next at least ${entry.nextEpoch}`;
  }
}
