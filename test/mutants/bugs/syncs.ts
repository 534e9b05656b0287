import type { Mutant } from "../mutant.js";

const NO_SYNC = "file.datasync = async () => undefined;";

/** Content that is not synced, one place after the other. */
export const syncBugs: readonly Mutant[] = [
  {
    name: "skip-segment-sync",
    bug: "acknowledges appends that were written and never synced",
    file: "log/active-end.ts",
    find: "      handle.hasUnsyncedWrites = false;\n      await file.datasync();\n",
    replace: "      handle.hasUnsyncedWrites = false;\n",
    suite: { files: ["log/durability.test.ts"], pattern: "a new log" },
  },
  {
    name: "skip-sync-before-roll",
    bug: "begins the next segment before the last one is on stable storage",
    file: "log/segment-commits.ts",
    find: "          await this.#end.sync();\n          this.#publication.acknowledge(unsynced);\n",
    replace: "          this.#publication.acknowledge(unsynced);\n",
    suite: { files: ["log/durability.test.ts"], pattern: "before the next one begins" },
  },
  {
    name: "skip-sync-before-roll-by-age",
    bug: "seals a segment that grew old before it is on stable storage",
    file: "log/writer-segments.ts",
    find: "      await this.#end.sync();\n      await this.roll();\n    });",
    replace: "      await this.roll();\n    });",
    suite: { files: ["log/durable-order.test.ts"], pattern: "grows old" },
  },
  {
    name: "skip-sync-in-flush",
    bug: "flush resolves without a sync",
    file: "log/log-writer.ts",
    find: "      await this.#journaled?.drained();\n      await this.#end.sync();\n    } catch (error) {",
    replace: "      await this.#journaled?.drained();\n    } catch (error) {",
    suite: { files: ["log/durability.test.ts"], pattern: "flush and close sync" },
  },
  {
    name: "skip-sync-in-close",
    bug: "leaves the marker of a clean close behind data that was never synced",
    file: "log/log-writer.ts",
    find: "        await this.#end.sync();\n        if (this.#metadata.now.clean) return;",
    replace: "        if (this.#metadata.now.clean) return;",
    suite: { files: ["log/durability.test.ts"], pattern: "flush and close sync" },
  },
  {
    name: "skip-sync-before-truncation",
    bug: "records a truncation before the data below it is on stable storage",
    file: "log/log-bounds.ts",
    find: "        await this.#end.sync();\n        if (this.#end.mustRollFirst) await this.#segments.roll();",
    replace: "        if (this.#end.mustRollFirst) await this.#segments.roll();",
    suite: { files: ["log/durable-order.test.ts"], pattern: "is truncated" },
  },
  {
    name: "skip-sync-before-deletion",
    bug: "moves the start offset beyond data that is not yet on stable storage",
    file: "log/log-bounds.ts",
    find: "        await this.#end.sync();\n        await this.#metadata.replace({ startOffset: offset });",
    replace: "        await this.#metadata.replace({ startOffset: offset });",
    suite: { files: ["log/retention.test.ts"], pattern: "syncs the data before" },
  },
  {
    name: "skip-sync-of-replacing-file",
    bug: "gives a new file the old one's name before its content is on stable storage",
    file: "files/atomic-file.ts",
    find: "    await file.datasync();\n    isOpen = false;",
    replace: "    isOpen = false;",
    suite: { files: ["files/atomic-file.test.ts"] },
  },
  {
    name: "skip-sync-of-metadata",
    bug: "replaces log.meta by a file that was never synced",
    file: "log/log-files.ts",
    find: "  return replaceFile(fileSystem, path, encodeLogMetadata(metadata), onRenamed);",
    replace: `  return prepareFile(fileSystem, path, async (file) => {
    await writeFully(file, encodeLogMetadata(metadata), 0);
    ${NO_SYNC}
  }).then(async (temporary) => {
    await fileSystem.rename(temporary, path);
    onRenamed?.();
    await fileSystem.syncDirectory(directory);
  });`,
    suite: { files: ["log/durability.test.ts"], pattern: "a new log" },
  },
  {
    name: "skip-sync-of-new-segment",
    bug: "begins a segment in a file whose header was never synced",
    file: "log/log-files.ts",
    find: "  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));",
    replace: `  const temporary = await prepareFile(fileSystem, path, async (file) => {
    await writeFully(file, bytes, 0);
    ${NO_SYNC}
  });`,
    suite: { files: ["log/durability.test.ts"], pattern: "a new log" },
  },
  {
    name: "skip-sync-of-new-log",
    bug: "makes a log of a store from files that were never synced",
    file: "files/atomic-file.ts",
    find: "    await writeFully(file, bytes, 0);\n    await file.datasync();\n",
    replace: "    await writeFully(file, bytes, 0);\n",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a key is made" },
  },
  {
    name: "skip-sync-of-recovered-segment",
    bug: "puts a copy that was never synced in place of a segment that a crash left",
    file: "log/recovery.ts",
    find: "      : copyBytes(last.file, 0, scan.end.endPosition, file),",
    replace: `      : copyBytes(last.file, 0, scan.end.endPosition, file).then(() => {
          ${NO_SYNC}
        }),`,
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts a torn tail" },
  },
  {
    name: "skip-sync-of-emptied-segment",
    bug: "puts an empty segment that was never synced in place of one that a crash left torn",
    file: "log/recovery.ts",
    find: "      ? writeFully(file, encodeSegmentHeader(newHeader), 0)",
    replace: `      ? writeFully(file, encodeSegmentHeader(newHeader), 0).then(() => {
          ${NO_SYNC}
        })`,
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts all that there was" },
  },
  {
    name: "skip-sync-of-cut-bytes",
    bug: "keeps the bytes that recovery cuts off in a file that was never synced",
    file: "log/recovery.ts",
    find: "    copyBytes(segment.file, from, to, file),",
    replace: `    copyBytes(segment.file, from, to, file).then(() => {
      ${NO_SYNC}
    }),`,
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts a torn tail" },
  },
  {
    name: "skip-sync-of-truncated-segment",
    bug: "puts a cut copy that was never synced in place of a segment that a truncation cuts",
    file: "log/segment-rewrite.ts",
    find: "    await copyBytes(segment.file, 0, copyTo, file);",
    replace: `    await copyBytes(segment.file, 0, copyTo, file);\n    ${NO_SYNC}`,
    suite: { files: ["log/durable-order.test.ts"], pattern: "is truncated" },
  },
  {
    name: "skip-sync-of-commits",
    bug: "acknowledges commits that were written and never synced",
    file: "store/checkpoint-writer.ts",
    find: "      await this.#file?.datasync();\n",
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "offsets are committed" },
  },
  {
    name: "skip-sync-of-checkpoint",
    bug: "replaces the checkpoint by a snapshot that was never synced",
    file: "store/checkpoint-writer.ts",
    find: "      await replaceFile(fileSystem, path, bytes, onRenamed);",
    replace: `      const unsynced = await fileSystem.open(path + ".tmp", "create");
      await writeFully(unsynced, bytes, 0);
      await unsynced.close();
      await fileSystem.rename(path + ".tmp", path);
      onRenamed();
      await fileSystem.syncDirectory(this.#directory);`,
    suite: { files: ["store/durable-order.test.ts"], pattern: "offsets are committed" },
  },
  {
    name: "skip-sync-of-store-metadata",
    bug: "makes a store whose store.meta was never synced",
    file: "store/store-files.ts",
    find: "  await replaceFile(fileSystem, path, encodeStoreMetadata(metadata));",
    replace: `  const unsynced = await fileSystem.open(path + TEMPORARY_SUFFIX, "create");
  await unsynced.write(encodeStoreMetadata(metadata), 0);
  await unsynced.close();
  await fileSystem.rename(path + TEMPORARY_SUFFIX, path);
  await fileSystem.syncDirectory(directory);`,
    suite: { files: ["store/durable-order.test.ts"], pattern: "a store is made" },
  },
  {
    name: "skip-sync-in-operating-system",
    bug: "a sync that never reaches the operating system",
    file: "files/node-file-system.ts",
    find: "(done) => fs.fdatasync(this.#descriptor, done)",
    replace: "(done) => setImmediate(done, null)",
    suite: { files: ["files/node-file-system.test.ts"], pattern: "a sync of a file" },
  },
];
