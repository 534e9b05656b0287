import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { FileSystem } from "../../src/files/file-system.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import {
  type BlockHeader,
  blockLength,
  isInvalid,
  parseBlockHeader,
} from "../../src/format/block-header.js";
import { checksum } from "../../src/format/checksum.js";
import { type SegmentFileKind, segmentFileName } from "../../src/format/file-names.js";
import { decodeSegmentHeader, type SegmentHeader } from "../../src/format/segment-header.js";
import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { patch } from "./damage.js";

/** How a test opens a log. */
export interface Setting {
  readonly fileSystem?: FileSystem;
  readonly now?: () => number;
  readonly maxOpenFiles?: number;
  readonly syncAheadBytes?: number;
  readonly smallWriteBytes?: number;
  readonly roomFromBytes?: number;
  readonly roomBytes?: number;
}

/** Opens a log in the world of a test; it is closed with the test, if that did not. */
export async function openLog(
  directory: string,
  options: OpenLogOptions = {},
  { fileSystem = nodeFileSystem, now, maxOpenFiles, ...setting }: Setting = {},
): Promise<CommitLog> {
  const environment = { ...createEnvironment(fileSystem, maxOpenFiles, now), ...setting };
  const log = await CommitLog.openOn(environment, directory, options);
  onTestFinished(async () => {
    await log.close().catch(() => undefined);
  });
  return log;
}

/** `value-0`, `value-1` and so on: what the record at an offset should hold. */
export function valueAt(offset: number): string {
  return `value-${offset}`;
}

/** Appends {@link valueAt} for each offset from the end on, one group after the other. */
export async function appendEach(log: CommitLog, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await log.append(valueAt(log.endOffset));
}

/** All readable values as text. */
export async function valuesOf(log: CommitLog, from = log.startOffset): Promise<string[]> {
  const values: string[] = [];
  for await (const record of log.records({ from })) values.push(textOf(record.value));
  return values;
}

/** The values that {@link appendEach} gives offsets in [from, to). */
export function expectedValues(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => valueAt(from + index));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Path of a segment's file. */
export function segmentPath(
  directory: string,
  baseOffset: number,
  kind: SegmentFileKind = "data",
): string {
  return join(directory, segmentFileName(baseOffset, kind));
}

/** Reads the header of a segment, which must be sound. */
export function headerOf(directory: string, baseOffset: number): SegmentHeader {
  const header = decodeSegmentHeader(readFileSync(segmentPath(directory, baseOffset)));
  if ("kind" in header) throw new Error(header.reason);
  return header;
}

/** The headers of a segment's blocks, as far as they are sound. */
export function blocksOf(directory: string, baseOffset: number): BlockHeader[] {
  const bytes = readFileSync(segmentPath(directory, baseOffset));
  const { headerLength, blockSeed } = headerOf(directory, baseOffset);
  const blocks: BlockHeader[] = [];
  for (let position = headerLength; position < bytes.length; ) {
    const block = parseBlockHeader(bytes.subarray(position), position, blockSeed);
    if (isInvalid(block)) break;
    blocks.push(block);
    position += blockLength(block);
  }
  return blocks;
}

/**
 * Changes the header of a block, or its body, and makes both checksums right again: what a broken
 * or hostile writer could have written.
 */
export function forgeBlock(
  directory: string,
  baseOffset: number,
  block: BlockHeader,
  change: (header: Buffer, body: Buffer) => void,
): void {
  const { blockSeed } = headerOf(directory, baseOffset);
  patch(segmentPath(directory, baseOffset), (bytes) => {
    const bodyStart = block.position + block.headerLength;
    const header = bytes.subarray(block.position, bodyStart);
    const body = bytes.subarray(bodyStart, bodyStart + block.storedBytes);
    change(header, body);
    header.writeUInt32LE(checksum(body), 72);
    header.writeUInt32LE(checksum(header.subarray(4), blockSeed), 0);
  });
}
