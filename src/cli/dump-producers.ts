import { decodeProducerSnapshot } from "../format/producer-snapshot.js";
import { count, hex } from "./display.js";
import type { DumpPrinter } from "./dump-printer.js";

/** Dumps `producers`, a producer a line. */
export async function dumpProducers(printer: DumpPrinter, bytes: Uint8Array): Promise<void> {
  const snapshot = decodeProducerSnapshot(bytes);
  if ("kind" in snapshot) {
    await printer.invalid(0, snapshot.reason);
    return;
  }
  const { activeBaseOffset, endOffset, endPosition, producers } = snapshot;
  await printer.line(
    `0: producers of log ${hex(snapshot.logId)} when it ended with offset ${endOffset}, position ` +
      `${endPosition} of segment ${activeBaseOffset}, checksums valid`,
  );
  for (const [id, { epoch, batches }] of producers) {
    const described = batches.map(
      ({ sequence, recordCount, baseOffset }) =>
        `${count(recordCount, "record")} from sequence ${sequence} at offset ${baseOffset}`,
    );
    await printer.line(`  producer ${id}  epoch ${epoch}  ${described.join(", ")}`);
  }
  await printer.line(`${bytes.length}: end, ${count(producers.size, "producer")}`);
}
