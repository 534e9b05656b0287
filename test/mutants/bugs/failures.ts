import type { Mutant } from "../mutant.js";

/** Failures of the disk that are taken too lightly, and files that are let go of too early. */
export const failureBugs: readonly Mutant[] = [
  {
    name: "acknowledge-after-sync-ahead-failed",
    bug: "resolves an append that was being written when a sync beside it failed",
    file: "log/log-writer.ts",
    find: "  #syncAhead(): void {\n    if (this.#poison !== undefined) throw this.#poison;\n",
    replace: "  #syncAhead(): void {\n    if (this.#poison !== undefined) return;\n",
    suite: { files: ["log/poisoned.test.ts"], pattern: "fails what is being written" },
  },
  {
    name: "retry-failed-sync",
    bug: "syncs a second time after a sync failed, and believes the answer",
    file: "log/log-writer.ts",
    find: "      handle.hasUnsyncedWrites = false;\n      await file.datasync();\n",
    replace:
      "      handle.hasUnsyncedWrites = false;\n      await file.datasync().catch(() => file.datasync());\n",
    suite: { files: ["log/poisoned.test.ts"] },
  },
  {
    name: "sync-after-poison",
    bug: "a later flush syncs again after a sync failed",
    file: "log/log-writer.ts",
    find: "      throw this.#poisonWith(error);\n    } finally {\n      handle.release();",
    replace: "      throw error;\n    } finally {\n      handle.release();",
    suite: { files: ["log/poisoned.test.ts"] },
  },
  {
    name: "failed-sync-is-no-failure",
    bug: "acknowledges appends whose sync failed",
    file: "log/log-writer.ts",
    find: "      handle.hasUnsyncedWrites = false;\n      await file.datasync();\n",
    replace:
      "      handle.hasUnsyncedWrites = false;\n      await file.datasync().catch(() => undefined);\n",
    suite: { files: ["log/poisoned.test.ts"] },
  },
  {
    name: "failed-sync-of-commits-is-retried",
    bug: "takes more commits after a sync of the checkpoint failed",
    file: "store/committed-offsets.ts",
    find: "      await this.#file?.datasync();\n    } catch (error) {\n      throw this.#fail(error);",
    replace: "      await this.#file?.datasync();\n    } catch (error) {\n      throw error;",
    suite: {
      files: ["store/checkpoint.test.ts"],
      pattern: "takes no more commits after a datasync that",
    },
  },
  {
    name: "background-sync-fails-silently",
    bug: "a sync before an idle file is closed fails, and nobody is told",
    file: "log/log-writer.ts",
    find: "      this.options.onError(this.#judge(error));\n    }\n  }\n\n  /**\n   * Seals",
    replace: "    }\n  }\n\n  /**\n   * Seals",
    suite: { files: ["log/poisoned.test.ts"] },
  },
  {
    name: "close-unsynced-handle",
    bug: "closes the idle handle of a segment with unsynced writes",
    file: "log/log-writer.ts",
    find: "    active.file.syncBeforeClose = () => this.#syncInBackground();",
    replace: "    active.file.syncBeforeClose = undefined;",
    suite: {
      files: ["store/open-files.test.ts"],
      pattern: "with unsynced writes are synced before they",
    },
  },
  {
    name: "pool-closes-unsynced-handle",
    bug: "the pool of handles closes one with unsynced writes",
    file: "files/handle-pool.ts",
    find: "      await this.syncBeforeClose?.();\n",
    replace: "",
    suite: { files: ["files/handle-pool.test.ts"] },
  },
  {
    name: "synchronous-read-closes-unsynced-handle",
    bug: "a synchronous read that needs room closes a handle with unsynced writes",
    file: "files/handle-pool.ts",
    find: "      if (file.hasUnsyncedWrites) continue;\n",
    replace: "",
    suite: { files: ["files/handle-pool.test.ts"] },
  },
  {
    name: "pool-forgets-write-during-sync",
    bug: "a write during the sync of an idle handle is taken for synced",
    file: "files/handle-pool.ts",
    find: "      await this.syncBeforeClose?.();\n",
    replace: "      await this.syncBeforeClose?.();\n      this.hasUnsyncedWrites = false;\n",
    suite: { files: ["files/handle-pool.test.ts"] },
  },
  {
    name: "pool-closes-file-in-use",
    bug: "the pool closes a handle that somebody began to use while it was synced",
    file: "files/handle-pool.ts",
    find: "    if (this.#pins === 0) await this.#closeNow();\n  }\n\n  /** @internal */",
    replace: "    await this.#closeNow();\n  }\n\n  /** @internal */",
    suite: { files: ["files/handle-pool.test.ts"] },
  },
  {
    name: "ignore-short-write",
    bug: "takes a write that stored a part of its bytes for a whole one",
    file: "files/whole-file.ts",
    find: "  let written = await file.write(bytes, position);\n  while (written < bytes.length) {",
    replace: "  let written = await file.write(bytes, position);\n  while (written === 0) {",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "beside the event loop.*short writes that make progress are no",
    },
  },
  {
    name: "no-progress-is-success",
    bug: "takes a write that stores nothing for the end of the work",
    file: "files/whole-file.ts",
    find: "    const count = await file.write(bytes.subarray(written), position + written);\n    if (count === 0) throw",
    replace:
      "    const count = await file.write(bytes.subarray(written), position + written);\n    if (count === 0) break;\n    if (count < 0) throw",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "beside the event loop.*a short write, and then no progress:",
    },
  },
  {
    name: "rest-of-short-write-at-start",
    bug: "writes the rest after a short write where the write began",
    file: "files/whole-file.ts",
    find: "await file.write(bytes.subarray(written), position + written);",
    replace: "await file.write(bytes.subarray(written), position);",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "beside the event loop.*short writes that make progress are no",
    },
  },
  {
    name: "ignore-short-write-in-place",
    bug: "takes a write in place that stored a part of its bytes for a whole one",
    file: "files/whole-file.ts",
    find: "  let written = file.writeSync(bytes, position);\n  while (written < bytes.length) {",
    replace: "  let written = file.writeSync(bytes, position);\n  while (written === 0) {",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "in place.*short writes that make progress are no",
    },
  },
  {
    name: "no-progress-in-place-is-success",
    bug: "takes a write in place that stores nothing for the end of the work",
    file: "files/whole-file.ts",
    find: "    const count = file.writeSync(bytes.subarray(written), position + written);\n    if (count === 0) throw",
    replace:
      "    const count = file.writeSync(bytes.subarray(written), position + written);\n    if (count === 0) break;\n    if (count < 0) throw",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "in place.*a short write, and then no progress:",
    },
  },
  {
    name: "rest-of-short-write-in-place-at-start",
    bug: "writes the rest after a short write in place where the write began",
    file: "files/whole-file.ts",
    find: "file.writeSync(bytes.subarray(written), position + written);",
    replace: "file.writeSync(bytes.subarray(written), position);",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "in place.*short writes that make progress are no",
    },
  },
  {
    name: "half-written-group-stays",
    bug: "leaves what a full disk took of a group in the file",
    file: "log/log-writer.ts",
    find: "      await file.truncate(endPosition);\n",
    replace: "",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "EDQUOT after a part: NO_SPACE, cut back,",
    },
  },
  {
    name: "failed-cut-is-no-failure",
    bug: "goes on when what was half written cannot be cut off",
    file: "log/log-writer.ts",
    find: "    } catch (second) {\n      throw this.#poisonWith(second);\n",
    replace: "    } catch {\n      throw error;\n",
    suite: {
      files: ["log/full-disk.test.ts"],
      pattern: "a file that cannot be cut back poisons the",
    },
  },
  {
    name: "failed-write-is-retried",
    bug: "takes appends after a write failed with EIO",
    file: "log/log-writer.ts",
    find: '    (error.code === "NO_SPACE" ||\n',
    replace: '    (error.code === "NO_SPACE" ||\n      error.code === "IO_ERROR" ||\n',
    suite: { files: ["log/poisoned.test.ts"] },
  },
  {
    name: "half-written-commit-stays",
    bug: "leaves what a full disk took of a commit in the checkpoint",
    file: "store/committed-offsets.ts",
    find: "        await file.truncate(this.#endPosition);\n",
    replace: "",
    suite: {
      files: ["store/checkpoint.test.ts"],
      pattern: "and is full rejects with NO_SPACE, changes",
    },
  },
  {
    name: "unknown-metadata-is-no-failure",
    bug: "goes on when nobody knows which log.meta a crash would leave",
    file: "log/log-writer.ts",
    find: "      throw isRenamed && !isHandleShortage(error) ? this.#poisonWith(error) : error;",
    replace: "      throw error;",
    suite: { files: ["log/poisoned.test.ts"], pattern: "nobody knows which one" },
  },
  {
    name: "unknown-bound-is-no-failure",
    bug: "takes appends behind a truncation bound that a crash would apply",
    file: "log/log-writer.ts",
    find: "      throw boundMayHold ? this.#poisonWith(error) : error;",
    replace: "      throw error;",
    suite: { files: ["log/truncation.test.ts"], pattern: "likewise in one segment" },
  },
  {
    name: "unknown-checkpoint-is-no-failure",
    bug: "goes on when nobody knows which checkpoint a crash would leave",
    file: "store/committed-offsets.ts",
    find: `        ((replaced === undefined || isDurable) &&
          error instanceof SeglogError &&
          error.code === "NO_SPACE");`,
    replace: "        error instanceof SeglogError;",
    suite: {
      files: ["store/checkpoint.test.ts"],
      pattern: "takes no more commits once it was replaced",
    },
  },
  {
    name: "commit-to-replaced-checkpoint",
    bug: "writes commits to a checkpoint that has no name any more",
    file: "store/committed-offsets.ts",
    find: `        replaced = { file: this.#file };
        this.#file = undefined;
`,
    replace: "        replaced = { file: this.#file };\n",
    suite: { files: ["store/checkpoint.test.ts"], pattern: "goes on in another snapshot" },
  },
  {
    name: "append-hidden-by-next-segment",
    bug: "appends to a segment after the next one's file may have been made",
    file: "log/log-writer.ts",
    find: "    if (this.#rollBegun || this.#isActiveAged()) return true;",
    replace: "    if (this.#isActiveAged()) return true;",
    suite: { files: ["log/full-disk.test.ts"], pattern: "for a roll" },
  },
];
