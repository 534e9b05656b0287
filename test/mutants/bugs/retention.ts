import type { Mutant } from "../mutant.js";

/** Retention that deletes too much or too little. */
export const retentionBugs: readonly Mutant[] = [
  {
    name: "age-by-file",
    bug: "judges the age of a segment by when its file was made",
    file: "log/retention.ts",
    find: "  let writtenAt = summary.maxTimestamp;",
    replace:
      "  let writtenAt = summary.records < 0 ? 0 : (await runSteps(segment.header())).createdAt;",
    suite: { files: ["log/retention.test.ts"], pattern: "retention by time" },
  },
  {
    name: "age-by-first-record",
    bug: "judges the age of a segment by its earliest record",
    file: "log/retention.ts",
    find: "  let writtenAt = summary.maxTimestamp;",
    replace: "  let writtenAt = summary.minTimestamp;",
    suite: { files: ["log/retention.test.ts"], pattern: "counts from the latest record" },
  },
  {
    name: "retention-deletes-active-segment",
    bug: "deletes the segment that is written to",
    file: "log/retention.ts",
    find: "  const sealed = segments.length - 1;",
    replace: "  const sealed = segments.length;",
    suite: { files: ["log/retention.test.ts"], pattern: "0 keeps 1 of 6 segments" },
  },
  {
    name: "retention-off-by-one-byte",
    bug: "deletes a segment of a log that is just as long as allowed",
    file: "log/retention.ts",
    find: "    while (expired < sealed && total > rule.bytes) {",
    replace: "    while (expired < sealed && total >= rule.bytes) {",
    suite: { files: ["log/retention.test.ts"], pattern: "just as long as allowed" },
  },
  {
    name: "retention-off-by-one-ms",
    bug: "deletes a segment that is just as old as allowed",
    file: "log/retention.ts",
    find: "  return now - writtenAt > ms;",
    replace: "  return now - writtenAt >= ms;",
    suite: {
      files: ["log/retention.test.ts"],
      pattern: "deletes segments whose latest record is old",
    },
  },
  {
    name: "records-ahead-of-the-clock-stay",
    bug: "one jump of the clock into the future keeps a log for ever",
    file: "log/retention.ts",
    find: "    writtenAt = successor.createdAt;\n",
    replace: "    return false;\n",
    suite: {
      files: ["log/retention.test.ts"],
      pattern: "a segment of records far ahead of the clock",
    },
  },
  {
    name: "jump-of-the-clock-deletes",
    bug: "one jump of the clock into the future deletes a log",
    file: "log/retention-clock.ts",
    find: "    return Math.min(this.#now(), this.#monotonicNow() + this.#offset + this.#maxStepMs);",
    replace:
      "    return Math.max(this.#now(), this.#monotonicNow() + this.#offset + this.#maxStepMs);",
    suite: { files: ["log/retention-clock.test.ts"] },
  },
  {
    name: "delete-segment-that-holds-start",
    bug: "deletes a segment whose last record is the new first one",
    file: "log/writer-segments.ts",
    find: "    const count = segmentIndexOf(this.#all, offset);",
    replace: "    const count = segmentIndexOf(this.#all, offset + 1);",
    suite: { files: ["log/retention.test.ts"], pattern: "deleteBefore" },
  },
  {
    name: "retention-after-close",
    bug: "retention deletes files of a log that was closed",
    file: "log/log-upkeep.ts",
    find: "    if (this.#failures.poison !== undefined || this.#log.isClosed) return;",
    replace: "    if (this.#failures.poison !== undefined) return;",
    suite: { files: ["log/retention.test.ts"], pattern: "while the log closes" },
  },
];
