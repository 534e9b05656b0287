import { dirname } from "node:path";
import { PooledFile } from "../files/handle-pool.js";
import { readFile } from "../files/whole-file.js";
import type { Block } from "../format/block.js";
import {
  BlockAttribute,
  type BlockHeader,
  type BlockProducer,
  blockLength,
} from "../format/block-header.js";
import { codecName } from "../format/compression.js";
import { isInvalidHeader } from "../format/envelope.js";
import type { LogRecord } from "../format/record.js";
import { decodeSegmentHeader, type SegmentHeader } from "../format/segment-header.js";
import { dataBeforeRoomOf, surveyLog } from "../log/recovery/log-survey.js";
import { checkRecords } from "../log/recovery/segment-check.js";
import { continuity } from "../log/recovery/tail-scan.js";
import type { BlockSource } from "../segment/block-source.js";
import { type DamagedStretch, isRoom, walkBlocks } from "../segment/block-walk.js";
import type { CommandContext } from "./context.js";
import { count, formatTime, hex, offsetRange } from "./display.js";
import type { DumpPrinter } from "./dump-printer.js";

/** Dumps a data file, block by block. */
export async function dumpDataFile(
  context: CommandContext,
  printer: DumpPrinter,
  path: string,
  baseOffset: number,
  withRecords: boolean,
): Promise<void> {
  const { environment } = context;
  const decoded = decodeSegmentHeader(await readFile(environment.fileSystem, path, 4096));
  const header = isInvalidHeader(decoded) ? undefined : decoded;
  if (isInvalidHeader(decoded)) await printer.invalid(0, decoded.reason);
  else await printHeader(printer, decoded);
  // The directory tells what a damaged header does not, and how far a living writer has come.
  const survey = await surveyLog(environment, dirname(path)).catch(() => undefined);
  const found = survey?.segments.find(({ segment }) => segment.baseOffset === baseOffset);
  const file = new PooledFile(environment.pool, path, "read");
  const source: BlockSource | undefined =
    header === undefined ? found?.source : { file, blockSeed: header.blockSeed };
  if (source === undefined) {
    await printer.line("nothing says which log this is, so no block of it can be checked");
    return;
  }
  const handle = await file.acquire();
  const fileBytes = await handle.size();
  file.release();
  const end = found?.endPosition ?? fileBytes;
  const dataBeforeRoom = survey && found && dataBeforeRoomOf(survey, found);
  const dump = new BlockDump(printer, withRecords, header?.checksum, baseOffset);
  for await (const step of walkBlocks(source, header?.headerLength ?? 80, end)) {
    for (const block of step.blocks) await dump.block(block);
    if (step.damaged !== undefined) await dump.damage(step.damaged, dataBeforeRoom);
  }
  await printer.line(`${end}: end, ${dump.summary()}`);
  if (end < fileBytes) {
    await printer.line(
      `${end}: ${fileBytes - end} bytes behind it are not published: yet to be, or room for more`,
    );
  }
  file.discard();
}

async function printHeader(printer: DumpPrinter, header: SegmentHeader): Promise<void> {
  const { predecessor } = header;
  const before =
    predecessor === undefined
      ? "none"
      : `base offset ${predecessor.baseOffset} ending with checksum ${crc(predecessor.checksum)}`;
  await printer.line(
    `0: segment header, log id ${hex(header.logId)}, epoch ${header.epoch}, base offset ` +
      `${header.baseOffset}, created ${formatTime(header.createdAt)}, predecessor ${before}, ` +
      `checksum ${crc(header.checksum)} valid`,
  );
}

/** Prints blocks and counts them. */
class BlockDump {
  readonly #printer: DumpPrinter;
  readonly #withRecords: boolean;
  #chain: number | undefined;
  #expectedOffset: number;
  #blocks = 0;
  #records = 0;
  #invalid = 0;

  constructor(
    printer: DumpPrinter,
    withRecords: boolean,
    chain: number | undefined,
    baseOffset: number,
  ) {
    this.#printer = printer;
    this.#withRecords = withRecords;
    this.#chain = chain;
    this.#expectedOffset = baseOffset;
  }

  async block(block: Block): Promise<void> {
    const { header } = block;
    const broken =
      this.#chain === undefined ? undefined : continuity(header, this.#chain, this.#expectedOffset);
    const wrong = broken ?? checkRecords(block);
    const line = describeBlock(header);
    if (wrong === undefined) await this.#printer.line(`${header.position}: ${line}, valid`);
    else await this.#printer.invalid(header.position, wrong, `; ${line}`);
    this.#invalid += wrong === undefined ? 0 : 1;
    this.#blocks++;
    this.#records += header.recordCount;
    this.#chain = header.checksum;
    this.#expectedOffset = header.lastOffset + 1;
    if (!this.#withRecords) return;
    for (let index = 0; index < header.recordCount; index++) {
      try {
        await this.#printer.line(this.#record(block.recordAt(index)));
      } catch (error) {
        await this.#printer.line(`  ${index}: ${this.#printer.text((error as Error).message)}`);
      }
    }
  }

  async damage(stretch: DamagedStretch, dataBeforeRoom: number | undefined): Promise<void> {
    const { position, endPosition, invalid, header } = stretch;
    if (isRoom(stretch, dataBeforeRoom)) {
      await this.#printer.line(`${position}: ${endPosition - position} zeros, room for more`);
      return;
    }
    const what = header === undefined ? "" : `; its header is valid: ${describeBlock(header)}`;
    const skipped = `; ${endPosition - position} bytes up to position ${endPosition}${what}`;
    await this.#printer.invalid(position, invalid.reason, skipped);
    this.#invalid++;
    this.#chain = undefined;
  }

  summary(): string {
    const invalid = this.#invalid === 0 ? "all valid" : count(this.#invalid, "invalid place");
    return `${count(this.#blocks, "block")}, ${count(this.#records, "record")}, ${invalid}`;
  }

  #record(record: LogRecord): string {
    const { offset, timestamp, value, key, headers = [] } = record;
    const parts = [`  ${offset}`, formatTime(timestamp)];
    if (key !== undefined) parts.push(`key=${this.#printer.bytes(key)}`);
    for (const [name, content] of headers) {
      parts.push(`header ${this.#printer.text(name)}=${this.#printer.bytes(content)}`);
    }
    return [...parts, `${value.length} B`, this.#printer.bytes(value)].join("  ");
  }
}

function describeBlock(header: BlockHeader): string {
  const { baseTimestamp, maxTimestamp, storedBytes, bodyBytes } = header;
  const isLast = (header.attributes & BlockAttribute.lastOfBatch) !== 0;
  const isStructured = (header.attributes & BlockAttribute.structured) !== 0;
  const time =
    baseTimestamp === maxTimestamp
      ? formatTime(baseTimestamp)
      : `${formatTime(baseTimestamp)} to ${formatTime(maxTimestamp)}`;
  return [
    offsetRange(header.baseOffset, header.lastOffset + 1),
    `${count(header.recordCount, "record")}${isStructured ? " with keys or headers" : ""}`,
    `${blockLength(header)} bytes`,
    `codec ${codecName(header.codec)}`,
    `body ${storedBytes} of ${bodyBytes} bytes`,
    time,
    isLast ? "ends its batch" : "batch goes on",
    `durable end ${header.durableEndOffset}`,
    ...describeProducer(header.producer),
    `checksum ${crc(header.checksum)}`,
  ].join(", ");
}

function describeProducer(producer: BlockProducer | undefined): string[] {
  if (producer === undefined) return [];
  const { id, epoch, sequence } = producer;
  return [`producer ${id} epoch ${epoch} sequence ${sequence}`];
}

function crc(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
