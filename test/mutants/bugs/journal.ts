import type { Mutant } from "../mutant.js";

/** Records that the journal of a store loses, brings back, or gives to nobody. */
export const journalBugs: readonly Mutant[] = [
  {
    name: "cut-without-a-mark",
    bug: "what a truncation cut off comes back from the journal",
    file: "log/log-bounds.ts",
    find: "    await this.#journaled?.mark();\n",
    replace: "",
    suite: { files: ["store/journal.test.ts"], pattern: "cut behind them" },
  },
  {
    name: "mark-is-overlooked",
    bug: "the next session takes what a mark made void for the end of a log",
    file: "log/journal.ts",
    find: "        if (key.isMark) this.index.forget(key.log);\n",
    replace: "        if (key.isMark) continue;\n",
    suite: { files: ["store/journal.test.ts"], pattern: "cut behind them" },
  },
  {
    name: "reader-overlooks-mark",
    bug: "a reader takes what a mark made void for the end of a log",
    file: "log/journal-follower.ts",
    find: "        if (key?.isMark) this.#index.forget(key.log);\n",
    replace: "        if (key?.isMark) continue;\n",
    suite: { files: ["store/journal.test.ts"], pattern: "cut behind them" },
  },
  {
    name: "mark-before-segments-are-synced",
    bug: "voids what the journal has of a log while the segments' copy is in the page cache alone",
    file: "log/log-writer.ts",
    find: "    await this.flush();\n    this.#journaled.settled(",
    replace: "    this.#journaled.settled(",
    suite: { files: ["store/durable-order.test.ts"], pattern: "whose end stands in the journal" },
  },
  {
    name: "journal-frees-what-logs-lack",
    bug: "frees what some log could not take over",
    file: "log/journal.ts",
    find: "Math.min(end, this.index.firstUnsettledPlace());",
    replace: "end;",
    suite: {
      files: ["store/journal-settling.test.ts"],
      pattern: "could not take, and frees nothing",
    },
  },
  {
    name: "journal-is-freed-before-logs-settle",
    bug: "frees the journal, and only then moves what stood there to the logs",
    file: "log/journal.ts",
    find: "    await Promise.all(Array.from({ length: SETTLING_AT_A_TIME }, settleSome));\n",
    replace: `    await log.deleteBefore(end);
    await Promise.all(Array.from({ length: SETTLING_AT_A_TIME }, settleSome));
`,
    suite: { files: ["store/journal-settling.test.ts"], pattern: "closed before it had room" },
  },
  {
    name: "settled-records-are-counted-twice",
    bug: "takes new records for settled ones after some before them were freed",
    file: "log/journal-index.ts",
    find: "Math.max(run.settledCount - dropped, 0)",
    replace: "run.settledCount",
    suite: { files: ["log/journal-index.test.ts"], pattern: "are freed" },
  },
  {
    name: "index-forgets-before-journal",
    bug: "forgets what the journal has before it is durably gone, so that no mark is made for it",
    file: "log/journal.ts",
    find: "    await log.deleteBefore(unneeded);\n    this.index.dropBefore(unneeded);\n",
    replace: "    this.index.dropBefore(unneeded);\n    await log.deleteBefore(unneeded);\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "could not be emptied" },
  },
  {
    name: "journal-is-emptied-unread",
    bug: "empties a journal of which it is not known what it holds",
    file: "log/journal.ts",
    find: "      if (this.#view !== undefined) await this.#trim(",
    replace: "      await this.#trim(",
    suite: {
      files: ["store/journal-settling.test.ts"],
      pattern: "cannot be read when the store is opened",
    },
  },
  {
    name: "unreadable-journal-is-ignored",
    bug: "opens a store without what stands in a journal that it could not read",
    file: "store/store-writer.ts",
    find: "      if (hasJournal) await writer.#journal.open();\n",
    replace: "      if (hasJournal) await writer.#journal.open().catch(() => undefined);\n",
    suite: {
      files: ["store/journal-settling.test.ts"],
      pattern: "cannot be read when the store is opened",
    },
  },
  {
    name: "unreadable-log-is-taken-for-deleted",
    bug: "frees the records of a log whose id could not be read, as if its key were deleted",
    file: "store/journal-keeper.ts",
    find: "      if (metadata === undefined) areAllKnown = false;\n",
    replace: "      if (metadata === undefined) return;\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "cannot be looked at" },
  },
  {
    name: "journal-acknowledges-unsynced",
    bug: "answers appends that stand in a journal that nobody syncs",
    file: "store/journal-keeper.ts",
    find: "{ segmentBytes, onError }",
    replace: '{ segmentBytes, onError, durability: "os" }',
    suite: { files: ["store/journal.test.ts"], pattern: "share one sync" },
  },
  {
    name: "opened-log-forgets-its-tail",
    bug: "gives out again the offsets of records that stand in the journal alone",
    file: "log/journaled-appends.ts",
    find: "Math.max(segmentsEnd, journal.index.runOf(this.#name)?.endOffset ?? 0)",
    replace: "segmentsEnd",
    suite: { files: ["store/journal.test.ts"], pattern: "after the process was killed" },
  },
  {
    name: "gap-before-journal-is-hidden",
    bug: "opens a log that lacks records between its segments and the journal",
    file: "log/journal.ts",
    find: "    if (run !== undefined && run.firstOffset > segmentsEnd) {",
    replace: "    if (run !== undefined && run.firstOffset < 0) {",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "begins behind the segments" },
  },
  {
    name: "clock-forgets-journal",
    bug: "gives a record an earlier time than those before it, which stand in the journal",
    file: "log/journal.ts",
    find: "run.endOffset > segmentsEnd ? this.index.maxTimestampOf(name) : 0;",
    replace: "run.endOffset > segmentsEnd ? 0 : 0;",
    suite: { files: ["store/journal.test.ts"], pattern: "clock" },
  },
  {
    name: "runs-are-joined-over-a-gap",
    bug: "takes records of the journal for ones that went straight to the segments",
    file: "log/journal-index.ts",
    find: "    if (offset === run.firstOffset + run.places.length) {",
    replace: "    if (offset >= run.firstOffset + run.places.length) {",
    suite: { files: ["store/journal.test.ts"], pattern: "a long one behind short ones" },
  },
  {
    name: "run-is-kept-after-it-was-dropped",
    bug: "acknowledges records of the journal that nothing leads to",
    file: "log/journal-index.ts",
    find: "    run.isDropped = true;\n",
    replace: "",
    suite: { files: ["log/journal-index.test.ts"], pattern: "counts no longer" },
  },
  {
    name: "gathered-tail-outlives-a-cut",
    bug: "moves records from the journal to a log that was cut since they were gathered",
    file: "log/gathered-tail.ts",
    find: "epoch !== this.#epoch || ",
    replace: "",
    suite: { files: ["store/journal-pass.test.ts"], pattern: "come back" },
  },
  {
    name: "gathered-tail-goes-anywhere",
    bug: "moves records from the journal behind others than those they followed",
    file: "log/gathered-tail.ts",
    find: " || piece?.firstOffset !== from) return undefined;",
    replace: " || piece === undefined || from < 0) return undefined;",
    suite: { files: ["store/journal-life.test.ts"] },
  },
  {
    name: "settling-keeps-appends-waiting",
    bug: "sends appends to a log's own segments while what it has in the journal is moved there",
    file: "log/append-queue.ts",
    find: "    return this.#inTurn(run, true);\n",
    replace: "    return this.exclusive(run);\n",
    suite: { files: ["store/journal-pass.test.ts"], pattern: "waiting" },
  },
  {
    name: "settling-forgets-retention",
    bug: "lets segments that were filled from the journal stay for good",
    file: "log/tail-settling.ts",
    find: "      if (this.#upkeep.isDue) await this.#upkeep.runBesideAppends();\n",
    replace: "",
    suite: { files: ["store/journal-pass.test.ts"], pattern: "retention" },
  },
  {
    name: "search-by-time-follows-the-tail",
    bug: "looks for a time behind records that came from the journal while it looked before them",
    file: "log/log-reader.ts",
    find: "  return yield* findTimestampFrom(view, segmentsEndOffset, timestamp);\n",
    replace: "  return yield* findTimestampFrom(view, view.segmentsEndOffset, timestamp);\n",
    suite: { files: ["store/journal-pass.test.ts"], pattern: "by its time" },
  },
  {
    name: "journal-is-read-log-by-log",
    bug: "reads the whole journal once for each log",
    file: "log/journal.ts",
    find: "      const gathered = await this.#gather(names);",
    replace: "      const gathered = new Map<string, GatheredTail>();",
    suite: { files: ["store/journal-pass.test.ts"], pattern: "one pass" },
  },
  {
    name: "journal-overtakes-segments",
    bug: "an append to the journal gets the offset of one that waits for the segments",
    file: "log/append-ways.ts",
    find: "      this.#queue.isIdle &&\n",
    replace: "",
    suite: { files: ["store/journal.test.ts"], pattern: "either way" },
  },
  {
    name: "segments-overtake-journal",
    bug: "an append to the segments gets the offset of one that is on its way to the journal",
    file: "log/journaled-appends.ts",
    find: "    return this.#pending > 0 || this.#endOffset > segmentsEnd;",
    replace: "    return this.#endOffset > segmentsEnd;",
    suite: { files: ["store/journal.test.ts"], pattern: "a long one behind short ones" },
  },
  {
    name: "batch-counts-as-one",
    bug: "the append behind a batch that is on its way gets the offset of the batch's second record",
    file: "log/journaled-appends.ts",
    find: "    this.#begin(count, byteLength);",
    replace: "    this.#begin(1, byteLength);",
    suite: { files: ["store/journal.test.ts"], pattern: "batches that follow each other" },
  },
  {
    name: "journaled-appends-are-not-awaited",
    bug: "closes a log while appends of it are on their way to the journal",
    file: "log/journaled-appends.ts",
    find: "    while (this.#pending > 0) {",
    replace: "    while (this.#pending < 0) {",
    suite: { files: ["store/journal.test.ts"], pattern: "answered before" },
  },
  {
    name: "poisoned-log-does-not-wait",
    bug: "closes a log that was poisoned while appends of it are on their way to the journal",
    file: "log/log-writer.ts",
    find: `      await this.#journaled?.drained();
      this.#failures.assertSound();
      await this.settle();
`,
    replace: `      this.#failures.assertSound();
      await this.settle();
`,
    suite: { files: ["store/journal.test.ts"], pattern: "given up meanwhile" },
  },
  {
    name: "closed-log-is-settled",
    bug: "writes to the segments of a log that was closed",
    file: "log/log-writer.ts",
    find: "    if (this.#settling === undefined || this.#closed !== undefined) return Promise.resolve(true);\n",
    replace: "    if (this.#settling === undefined) return Promise.resolve(true);\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "closed before it had room" },
  },
  {
    name: "failed-journaling-is-not-doubted",
    bug: "other records take the place of ones of which nobody knows whether the journal has them",
    file: "log/journaled-appends.ts",
    find: '    if (error.code === "LOG_POISONED") this.#journal.doubt(this.#name, error);\n',
    replace: "",
    suite: {
      files: ["store/journal-settling.test.ts"],
      pattern: "that was poisoned gives a log nothing",
    },
  },
  {
    name: "reader-looks-at-journal-last",
    bug: "a reader misses records that leave the journal between its two looks",
    file: "log/log-follower.ts",
    find: `      await this.#journal?.refresh();
      const run = this.#journal?.index.runOf(journalName(this.logId));
      const state = await this.#published.read();
`,
    replace: `      const state = await this.#published.read();
      await this.#journal?.refresh();
      const run = this.#journal?.index.runOf(journalName(this.logId));
`,
    suite: { files: ["store/journal-readers.test.ts"], pattern: "while a reader is about to look" },
  },
  {
    name: "reader-mixes-epochs",
    bug: "a reader is shown, behind a cut, what the journal had before it",
    file: "log/log-follower.ts",
    find: "      if (this.epoch !== epoch) continue;",
    replace: "      if (this.epoch < epoch) continue;",
    suite: { files: ["store/journal-readers.test.ts"], pattern: "cut while a reader looks" },
  },
  {
    name: "start-behind-segments",
    bug: "a log begins behind the end of its segments",
    file: "log/log-bounds.ts",
    find: "    if (offset > this.#log.segmentsEndOffset) await this.#log.settle();\n",
    replace: "",
    suite: { files: ["store/journal.test.ts"], pattern: "deleteBefore" },
  },
  {
    name: "journaled-records-outlive-retention",
    bug: "a time limit does not hold for records that stand in the journal",
    file: "log/log-upkeep.ts",
    find: "        await this.#log.settle().catch((error: SeglogError) => options.onError(error));\n",
    replace: "",
    suite: { files: ["store/journal.test.ts"], pattern: "older than retention allows" },
  },
  {
    name: "round-began-before-question",
    bug: "serves whoever asks, a reader or a flush, by a round that began before",
    file: "log/shared-rounds.ts",
    find: "    if (this.#running === undefined) return this.#begin();\n",
    replace: `    if (this.#running === undefined) return this.#begin();
    if (this.#next === undefined) return this.#running;
`,
    suite: {
      files: ["log/shared-rounds.test.ts", "store/journal-readers.test.ts"],
      pattern: "after the question|cut while the reader looked|are acknowledged",
    },
  },
  {
    name: "two-rounds-at-once",
    bug: "looks at the journal twice at once, so that two readers of it add what they find",
    file: "log/shared-rounds.ts",
    find: "    this.#next = this.#running\n",
    replace: "    this.#next = Promise.resolve()\n",
    suite: { files: ["log/shared-rounds.test.ts"], pattern: "one at a time" },
  },
  {
    name: "moved-tail-is-damage",
    bug: "a read that begins in the segments takes a file that left the journal for damage",
    file: "log/overtaken.ts",
    find: "view.tail !== undefined && !hasLookedAgain",
    replace: "offset >= view.segmentsEndOffset && !hasLookedAgain",
    suite: { files: ["store/journal-readers.test.ts"], pattern: "where they have gone" },
  },
  {
    name: "journal-that-comes-is-damage",
    bug: "a reader takes a journal that is being made for one without metadata",
    file: "log/journal-follower.ts",
    find: `    const kind = await fileSystem.kindOf(this.#directory);
    if (kind === undefined) return undefined;
    assertDirectoryKind(this.#directory, kind);
    // Names are joined to it from here on, which takes \`..\` away: what lies above a symbolic link
    // to a log is not what the log lies in.
    this.#directory = await fileSystem.realPath(this.#directory);
    // The directory gets its name when all of it is there.
    const path = join(this.#directory, LOG_METADATA_FILE);
    if ((await fileSystem.kindOf(path)) === undefined) {
`,
    replace: `    const path = join(this.#directory, LOG_METADATA_FILE);
    const found = await fileSystem.kindOf(path);
    const kind = await fileSystem.kindOf(this.#directory);
    if (kind === undefined) return undefined;
    assertDirectoryKind(this.#directory, kind);
    if (found === undefined) {
`,
    suite: { files: ["store/journal-readers.test.ts"], pattern: "made between two looks" },
  },
  {
    name: "journal-behind-symbolic-link",
    bug: "a reader follows a symbolic link out of the store",
    file: "log/journal-follower.ts",
    find: "    assertDirectoryKind(this.#directory, kind);\n",
    replace: "    void assertDirectoryKind;\n",
    suite: { files: ["store/journal-readers.test.ts"], pattern: "symbolic link" },
  },
  {
    name: "moved-tail-is-damage-at-once",
    bug: "a read that cannot wait takes a file that left the journal for damage",
    file: "log/commit-log.ts",
    find: "this.#writer === undefined && isOfTail",
    replace: "this.#writer !== undefined && isOfTail",
    suite: { files: ["store/journal-readers.test.ts"], pattern: "cannot wait" },
  },
  {
    name: "full-journal-stays-full",
    bug: "a journal that takes no more is never emptied again",
    file: "log/journal.ts",
    find: "      this.#grow(byteLength);\n      return false;\n",
    replace: "      return false;\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "takes appends again" },
  },
  {
    name: "kept-records-take-no-room",
    bug: "a journal of which nothing can be freed grows for ever",
    file: "log/journal.ts",
    find: "    this.#grownBytes = 0;\n",
    replace: "    this.#grownBytes = this.#heldBytes = 0;\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "no more than allowed" },
  },
  {
    name: "unsynced-deletion-counts",
    bug: "frees the records of a log whose deletion a power cut may undo",
    file: "store/journal-keeper.ts",
    find: "    await environment.fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));\n    return gone;\n",
    replace: "    return gone;\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "a deleted log" },
  },
  {
    name: "unreadable-journal-poisons-logs",
    bug: "gives logs up because what is to be moved to them could not be read",
    file: "log/group-commit.ts",
    find: "this.#failures.poison === undefined && error instanceof SeglogError;",
    replace: "this.#failures.poison !== undefined && error instanceof SeglogError;",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "does no harm" },
  },
  {
    name: "cut-of-full-disk-is-not-synced",
    bug: "what was refused for lack of space comes back after a power cut",
    file: "log/active-end.ts",
    find: "      await file.truncate(endPosition);\n      await file.datasync();\n",
    replace: "      await file.truncate(endPosition);\n",
    suite: { files: ["store/journal-settling.test.ts"], pattern: "come back after a power cut" },
  },
  {
    name: "full-disk-stops-upkeep",
    bug: "retention frees nothing on a disk that is full",
    file: "log/log-upkeep.ts",
    find: "await this.#log.settle().catch((error: SeglogError) => options.onError(error));",
    replace: "await this.#log.settle();",
    suite: { files: ["store/journal.test.ts"], pattern: "is full" },
  },
  {
    name: "closed-log-fails-to-settle",
    bug: "tells of a failure when a log was closed while the journal was being emptied",
    file: "log/log-writer.ts",
    find: "    if (this.#settling === undefined || this.#closed !== undefined) return Promise.resolve(true);\n",
    replace: `    if (this.#settling === undefined) return Promise.resolve(true);
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
`,
    suite: { files: ["store/journal-settling.test.ts"], pattern: "while a log is closed" },
  },
];
