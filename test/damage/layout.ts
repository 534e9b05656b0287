import { basename, dirname } from "node:path/posix";
import {
  BlockAttribute,
  type BlockHeader,
  blockLength,
  isInvalid,
  parseBlockHeader,
} from "../../src/format/block-header.js";
import { parseSegmentFileName, type SegmentFileKind } from "../../src/format/file-names.js";
import { decodeSegmentHeader, type SegmentHeader } from "../../src/format/segment-header.js";
import type { Image } from "./image.js";

/** What sort of file a path of a store names. */
export type FileKind =
  | SegmentFileKind
  | "LOCK"
  | "published"
  | "checkpoint"
  | "store.meta"
  | "log.meta"
  | "cut";

/** The key whose log a file is of; `undefined` for the store's own files. */
export function keyOf(path: string): string | undefined {
  return path.startsWith("logs/") ? basename(dirname(path)) : undefined;
}

export function kindOf(path: string): FileKind {
  const name = basename(path);
  const segment = parseSegmentFileName(name);
  if (segment !== undefined) return segment.kind;
  if (name === "committed-offsets") return "checkpoint";
  return name.includes(".cut-") ? "cut" : (name as FileKind);
}

/** The base offset in a segment file's name. */
export function baseOffsetOf(path: string): number {
  return parseSegmentFileName(basename(path))!.baseOffset;
}

/** A block, and where the batch begins that it is part of. */
export interface PlacedBlock extends BlockHeader {
  readonly endPosition: number;
  readonly batchOffset: number;
}

/** A sound data file, taken apart. */
export interface DataLayout {
  readonly path: string;
  readonly header: SegmentHeader;
  readonly blocks: readonly PlacedBlock[];
  readonly length: number;
}

/** Takes a data file apart, which must be sound. */
export function layoutOf(image: Image, path: string): DataLayout {
  const bytes = image.get(path)!;
  const header = decodeSegmentHeader(bytes);
  if ("kind" in header) throw new Error(`${path}: ${header.reason}`);
  const blocks: PlacedBlock[] = [];
  let batchOffset: number | undefined;
  for (let position = header.headerLength; position < bytes.length; ) {
    const block = parseBlockHeader(bytes.subarray(position), position, header.blockSeed);
    if (isInvalid(block)) throw new Error(`${path} at ${position}: ${block.reason}`);
    batchOffset ??= block.baseOffset;
    const endPosition = position + blockLength(block);
    blocks.push({ ...block, endPosition, batchOffset });
    if ((block.attributes & BlockAttribute.lastOfBatch) !== 0) batchOffset = undefined;
    position = endPosition;
  }
  return { path, header, blocks, length: bytes.length };
}

/** Paths of a log's data files, the oldest first. */
export function dataFilesOf(image: Image, key: string): string[] {
  return [...image.keys()].filter((path) => keyOf(path) === key && kindOf(path) === "data");
}
