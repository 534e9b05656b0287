import type { Mutant } from "../mutant.js";

/** Indexes that are believed. */
export const indexBugs: readonly Mutant[] = [
  {
    name: "trust-index",
    bug: "believes the place that an index names, whatever block is there",
    file: "log/read/log-reader.ts",
    find: "    if (place.baseOffset === undefined || found === place.baseOffset) return run;",
    replace: "    if (place.baseOffset === undefined || found !== undefined) return run;",
    suite: {
      files: ["segment/forged-index.test.ts"],
      pattern: "with positions of other blocks leads no",
    },
  },
  {
    name: "trust-index-of-other-length",
    bug: "believes an index of a segment that has grown or was cut since",
    file: "segment/index-loading.ts",
    find: "  if (summary.endPosition !== (yield* segment.end())) return false;\n",
    replace: "",
    suite: {
      files: ["segment/segment-index.test.ts"],
      pattern: "of other data is not taken, whatever the",
    },
  },
  {
    name: "trust-index-of-other-segment",
    bug: "believes the index of another segment",
    file: "segment/last-block.ts",
    find: "  if (last.lastBlockPosition === 0) {\n",
    replace: "  if (last.lastBlockPosition === 0) {\n    if (last.endPosition > 0) return true;\n",
    suite: { files: ["segment/segment-index.test.ts"], pattern: "if neither has blocks" },
  },
  {
    name: "trust-index-of-other-data",
    bug: "believes an index though the segment's last block is another",
    file: "segment/index-loading.ts",
    find: "  return yield* hasLastBlock(segment, summary);",
    replace: "  return summary.blocks === 0 || (yield* hasLastBlock(segment, summary)) || true;",
    suite: {
      files: ["segment/segment-index.test.ts"],
      pattern: "of other data is not taken, whatever the",
    },
  },
  {
    name: "index-entries-are-believed",
    bug: "believes the entries of an index that do not have their checksum",
    file: "format/index-file.ts",
    find: "  if (checksum(entries) !== viewOf(bytes).getUint32(20, true)) {",
    replace: "  if (checksum(entries) < 0) {",
    suite: { files: ["format/index-file.test.ts"] },
  },
  {
    name: "index-count-without-limit",
    bug: "allocates as many entries as an index announces",
    file: "segment/index-loading.ts",
    find: "    if (header.entryCount > end / BLOCK_HEADER_BYTES) return undefined;\n",
    replace: "",
    suite: { files: ["log/damaged-files.test.ts"], pattern: "more entries than" },
  },
  {
    name: "rebuild-stops-at-damage",
    bug: "an index that is built anew ends at the first damage",
    file: "segment/index-loading.ts",
    find: "    if (index.coveredPosition === run.nextPosition) index.coveredPosition = next?.position ?? end;",
    replace:
      "    if (index.coveredPosition === run.nextPosition) index.coveredPosition = next === undefined ? end : end;",
    suite: {
      files: ["segment/segment-index.test.ts"],
      pattern: "steps over damaged blocks, so that what lies",
    },
  },
  {
    name: "failed-index-fails-append",
    bug: "a roll fails since an index, which is but a hint, cannot be saved",
    file: "log/write/writer-indexes.ts",
    find: "    await pool.transient(() => saveIndex(fileSystem, segment, index)).catch(() => undefined);",
    replace: "    await pool.transient(() => saveIndex(fileSystem, segment, index));",
    suite: { files: ["log/every-failure.test.ts"], pattern: "ENOSPC, from then on" },
  },
];
