import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compressBody } from "../../src/format/compression.js";
import {
  encodeIndexFile,
  OFFSET_INDEX_MAGIC,
  TIME_INDEX_MAGIC,
} from "../../src/format/index-file.js";
import { encodeLogMetadata } from "../../src/format/log-metadata.js";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  type SegmentHeader,
} from "../../src/format/segment-header.js";
import { bodyOf, type HandMadeBlock, handMade } from "../format/blocks.js";
import { idOf } from "../format/bytes.js";

const header = {
  logId: idOf(1),
  epoch: 0,
  baseOffset: 0,
  createdAt: 0,
  predecessor: undefined,
};

/** Makes a log of one block, which is valid as far as checksums go. */
export function forgedLog(directory: string, parts: Omit<HandMadeBlock, "seed">): void {
  const bytes = encodeSegmentHeader(header);
  const { blockSeed, checksum } = decodeSegmentHeader(bytes) as SegmentHeader;
  const block = handMade({
    ...parts,
    header: { previousChecksum: checksum, ...parts.header },
    seed: blockSeed,
  });
  const lastChecksum = Buffer.from(block).readUInt32LE(0);
  const end = {
    activeBaseOffset: 0,
    endOffset: (parts.header?.lastOffset ?? (parts.header?.recordCount ?? 1) - 1) + 1,
    maxTimestamp: 1000,
    endPosition: bytes.length + block.length,
    lastBlockPosition: bytes.length,
    lastChecksum,
  };
  const metadata = encodeLogMetadata({
    logId: header.logId,
    epoch: 0,
    startOffset: 0,
    truncation: undefined,
    bootId: new Uint8Array(16),
    storeId: undefined,
    clean: true,
    synced: true,
    hasProducers: false,
    end,
    revision: 0,
  });
  mkdirSync(directory);
  writeFileSync(join(directory, "00000000000000000000.log"), Buffer.concat([bytes, block]));
  writeFileSync(join(directory, "log.meta"), metadata);
}

/** Both index files of such a log, with an entry count that nothing stands behind. */
export function forgeIndexes(directory: string, entryCount: number): void {
  const summary = {
    segmentChecksum: 0,
    lastChecksum: 0,
    lastBlockPosition: 80,
    endPosition: 2 ** 32 - 1,
    baseOffset: 0,
    endOffset: 2 ** 53 - 1,
    records: 2 ** 53 - 1,
    batches: 2 ** 53 - 1,
    blocks: 2 ** 53 - 1,
    bodyBytes: 2 ** 53 - 1,
    minTimestamp: 0,
    maxTimestamp: 2 ** 53 - 1,
  };
  for (const [name, magic] of [
    ["index", OFFSET_INDEX_MAGIC],
    ["timeindex", TIME_INDEX_MAGIC],
  ] as const) {
    const bytes = encodeIndexFile(magic, summary, entryCount, new Uint8Array(0));
    writeFileSync(join(directory, `00000000000000000000.${name}`), bytes);
  }
}

/** The largest body that a header may declare. */
const MOST = 128 * 1024 * 1024 + 64 * 1024;
const small = bodyOf(["v"], [1]);

/** Blocks that ask for more than they hold; each has right checksums. */
export const FORGED_BLOCKS: Readonly<Record<string, Omit<HandMadeBlock, "seed">>> = {
  "the longest stored body, of a few bytes": {
    header: { storedBytes: MOST, bodyBytes: MOST },
    body: small,
  },
  "a stored body of 2^32 - 1": {
    header: { storedBytes: 2 ** 32 - 1, bodyBytes: 2 ** 32 - 1 },
    body: small,
  },
  "2^32 - 1 records": {
    header: { recordCount: 2 ** 32 - 1, lastOffset: 2 ** 32 - 2, bodyBytes: 2 ** 32 - 1 },
    body: small,
  },
  "as many records as the longest body could hold": {
    header: { recordCount: MOST / 4, lastOffset: MOST / 4 - 1, bodyBytes: MOST, codec: 1 },
    body: lz4Prefix(MOST),
  },
  "an LZ4 prefix of 2 GiB": {
    header: { codec: 1, bodyBytes: 100 },
    body: lz4Prefix(2 ** 31 - 1),
  },
  "an LZ4 prefix and a header of 128 MiB": {
    header: { codec: 1, bodyBytes: MOST },
    body: lz4Prefix(MOST),
  },
  "a record that ends at 2^32 - 1": { body: bodyOf(["v"], [2 ** 32 - 1]) },
  "a structured record with 2^32 - 1 headers": {
    header: { attributes: 3 },
    body: bodyOf(["\u0002\u00ff\u00ff"], [3]),
  },
};

function lz4Prefix(declared: number): Uint8Array {
  const bytes = Buffer.alloc(20, 0x1f);
  bytes.writeUInt32LE(declared, 0);
  return bytes;
}

/** As much as LZ4 can make of as little: valid, and a tenth of a gigabyte when it is decoded. */
export function lz4Bomb(): Omit<HandMadeBlock, "seed"> {
  const valueBytes = 100 * 1024 * 1024;
  const body = Buffer.alloc(valueBytes + 4);
  body.writeUInt32LE(valueBytes, valueBytes);
  const stored = compressBody(body);
  if (stored === undefined) throw new Error("zeros do not compress");
  return { header: { codec: 1, bodyBytes: body.length }, body: stored };
}
