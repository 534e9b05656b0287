import type { Mutant } from "../mutant.js";

/** Truncations that do too little, too much, or the same thing twice. */
export const truncationBugs: readonly Mutant[] = [
  {
    name: "stale-bound-in-memory",
    bug: "keeps the bound of a truncation in log.meta after it is carried out",
    file: "log/log-bounds.ts",
    find: "    this.#metadata.noteTruncated(this.#end.durable);\n",
    replace: "",
    suite: { files: ["log/truncation.test.ts"], pattern: "leaves no bound" },
  },
  {
    name: "stale-bound-is-applied",
    bug: "cuts off what was appended behind a truncation bound, in its own epoch",
    file: "log/judgement.ts",
    find: `published?.epoch === truncation.epoch) return undefined;
  if (newest === undefined || newest.baseOffset < truncation.offset) return truncation;
  const { epoch } = await runSteps(newest.header());
  return epoch < truncation.epoch ? truncation : undefined;`,
    replace: `published === undefined) return truncation;
  return newest === undefined ? undefined : truncation;`,
    suite: { files: ["log/truncation.test.ts"], pattern: "appended behind the bound" },
  },
  {
    name: "keep-epoch-after-truncation",
    bug: "gives offsets out again under the same epoch after a truncation",
    file: "log/log-bounds.ts",
    find: "    const epoch = epochAfter(this.#log.epoch, directory);",
    replace: "    const epoch = this.#log.epoch;",
    suite: { files: ["log/truncation.test.ts"], pattern: "to 0 of 10 records with" },
  },
  {
    name: "interrupted-truncation-is-forgotten",
    bug: "does not go on with a truncation that a crash interrupted",
    file: "log/judgement.ts",
    find: "  return epoch < truncation.epoch ? truncation : undefined;",
    replace: "  return epoch < 0 ? truncation : undefined;",
    suite: { files: ["log/truncation.test.ts"], pattern: "carried out by the next open" },
  },
  {
    name: "truncation-off-by-one-up",
    bug: "a truncation keeps the record at its bound, if that is the last one",
    file: "log/truncation.ts",
    find: "    if (scan.end.endOffset > bound.offset) {",
    replace: "    if (scan.end.endOffset > bound.offset + 1) {",
    suite: { files: ["log/truncation.test.ts"], pattern: "to 9 of 10" },
  },
  {
    name: "truncation-off-by-one-down",
    bug: "a truncation drops the record before its bound",
    file: "log/segment-rewrite.ts",
    find: "  const count = block.lowerBound(offset);",
    replace: "  const count = block.lowerBound(offset - 1) || 1;",
    suite: {
      files: ["log/truncation.test.ts"],
      pattern: "cuts inside of a batch and inside of a block",
    },
  },
  {
    name: "cut-batch-stays-open",
    bug: "a cut through a batch leaves it without an end",
    file: "log/segment-rewrite.ts",
    find: "    header.lastOffset < offset && (header.attributes & BlockAttribute.lastOfBatch) !== 0;",
    replace: "    header.lastOffset < offset;",
    suite: {
      files: ["log/truncation.test.ts"],
      pattern: "cuts inside of a batch and inside of a block",
    },
  },
  {
    name: "truncation-hides-damage",
    bug: "a truncation cuts a segment that is damaged below the bound",
    file: "log/log-bounds.ts",
    find: "= await assertSoundBelow(floor, offset);",
    replace: "= { endOffset: offset, lastChecksum: 0 };",
    suite: { files: ["log/truncation.test.ts"], pattern: "does not hide damage" },
  },
  {
    name: "truncation-hides-a-short-segment",
    bug: "a truncation goes on from a sealed segment that lost blocks at its end",
    file: "log/log-bounds.ts",
    find: "      if (endOffset < offset) await",
    replace: "      if (endOffset < 0) await",
    suite: { files: ["log/truncation.test.ts"], pattern: "lost its last block" },
  },
  {
    name: "iterators-outlive-epoch",
    bug: "an iteration goes on with the records of another epoch",
    file: "log/iteration.ts",
    find: "  if (view.epoch === cursor.epoch) return;",
    replace: "  if (view.epoch >= cursor.epoch) return;",
    suite: { files: ["log/truncation.test.ts"], pattern: "tells iterations" },
    hangs: true,
  },
  {
    name: "reader-misses-epoch",
    bug: "a reader in another process is not told that offsets were given out again",
    file: "log/log-follower.ts",
    find: "    if (this.epoch !== epoch) throw logTruncated(this.directory, epoch, this.epoch);\n",
    replace: "",
    suite: { files: ["log/following.test.ts"], pattern: "by a refresh, once" },
  },
  {
    name: "reader-ignores-bound",
    bug: "a reader is shown what an interrupted truncation has yet to remove",
    file: "log/log-follower.ts",
    find: "endOffset: Math.min(end.endOffset, truncatedAt) };",
    replace: "endOffset: end.endOffset };",
    suite: { files: ["log/following.test.ts"], pattern: "truncation that was interrupted" },
  },
  {
    name: "complete-truncation-taken-for-interrupted",
    bug: "forgets what was appended since a truncation when its segments are missing",
    file: "log/judgement.ts",
    find: "published?.epoch === truncation.epoch) return undefined;",
    replace: "published?.epoch === -1) return undefined;",
    suite: { files: ["log/superseded.test.ts"], pattern: "all segments since" },
  },
];
