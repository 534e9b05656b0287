import { decodeLogMetadata } from "../format/log-metadata.js";
import {
  decodePublishedHeader,
  decodeSlot,
  PUBLISHED_HEADER_BYTES,
  SLOT_BYTES,
} from "../format/published-end.js";
import { decodeStoreMetadata } from "../format/store-metadata.js";
import { formatTime, hex } from "./display.js";
import type { DumpPrinter } from "./dump-printer.js";

/** Dumps `log.meta`, a field a line. */
export async function dumpLogMetadata(printer: DumpPrinter, bytes: Uint8Array): Promise<void> {
  const metadata = decodeLogMetadata(bytes);
  if ("kind" in metadata) {
    await printer.invalid(0, metadata.reason);
    return;
  }
  const { truncation, storeId, end } = metadata;
  await printer.line(
    [
      "0: log metadata, checksum valid",
      `log id          ${hex(metadata.logId)}`,
      `epoch           ${metadata.epoch}`,
      `start offset    ${metadata.startOffset}`,
      `closed cleanly  ${metadata.clean ? "yes" : "no"}`,
      `acknowledged    ${metadata.synced ? "after the sync" : "before the sync"}`,
      `truncation      ${
        truncation === undefined
          ? "none"
          : `segments before epoch ${truncation.epoch} end before offset ${truncation.offset}`
      }`,
      `boot id         ${hex(metadata.bootId)}`,
      `store id        ${storeId === undefined ? "none" : hex(storeId)}`,
      `end             offset ${end.endOffset}, position ${end.endPosition} of segment ` +
        `${end.activeBaseOffset}, last block at ${end.lastBlockPosition}, clock at ` +
        `${formatTime(end.maxTimestamp)}`,
      `revision        ${metadata.revision}`,
    ].join("\n"),
  );
}

/** Dumps `store.meta`. */
export async function dumpStoreMetadata(printer: DumpPrinter, bytes: Uint8Array): Promise<void> {
  const metadata = decodeStoreMetadata(bytes);
  if ("kind" in metadata) {
    await printer.invalid(0, metadata.reason);
    return;
  }
  await printer.line("0: store metadata, checksum valid");
  await printer.line(`store id        ${hex(metadata.storeId)}`);
  await printer.line(`created         ${formatTime(metadata.createdAt)}`);
}

/** Dumps `published`, slot by slot. It belongs to a living writer; without one it says nothing. */
export async function dumpPublished(printer: DumpPrinter, bytes: Uint8Array): Promise<void> {
  const header = decodePublishedHeader(bytes);
  if ("kind" in header) {
    await printer.invalid(0, header.reason);
    return;
  }
  await printer.line(`0: published ends of process ${header.processId}, checksum valid`);
  for (let at = PUBLISHED_HEADER_BYTES; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
    const slot = decodeSlot(bytes.subarray(at, at + SLOT_BYTES), header.slotSeed);
    const isEmpty = bytes.subarray(at, at + SLOT_BYTES).every((byte) => byte === 0);
    if (slot === undefined) {
      // A writer may be in the middle of it; readers use the other slot then.
      await printer.line(`${at}: ${isEmpty ? "empty slot" : "slot without a valid checksum"}`);
      continue;
    }
    await printer.line(
      `${at}: sequence ${slot.sequence}, log id ${hex(slot.logId)}, epoch ${slot.epoch}, offsets ` +
        `${slot.startOffset} to ${slot.endOffset} (exclusive), position ${slot.endPosition} of ` +
        `segment ${slot.activeBaseOffset}, clock at ${formatTime(slot.maxTimestamp)}, ` +
        `opened at revision ${slot.revision}`,
    );
  }
}
