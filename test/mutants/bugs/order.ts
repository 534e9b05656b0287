import type { Mutant } from "../mutant.js";

/** Things done too early. */
export const orderBugs: readonly Mutant[] = [
  {
    name: "acknowledge-early",
    bug: "resolves appends before their sync",
    file: "log/segment-commits.ts",
    find: '      if (this.#options.durability === "always") await this.#end.sync();\n      else this.#end.syncAhead();\n      answer = this.#publication.publish(unsynced);\n    } catch (error) {',
    replace:
      '      this.#publication.acknowledge(unsynced);\n      if (this.#options.durability === "always") await this.#end.sync();\n      else this.#end.syncAhead();\n    } catch (error) {',
    suite: { files: ["log/durability.test.ts"], pattern: "resolves after the sync" },
  },
  {
    name: "publish-early",
    bug: "shows readers what is written and not yet synced",
    file: "log/segment-commits.ts",
    find: "        await this.#end.write(run);\n",
    replace:
      "        await this.#end.write(run);\n        this.#publication.moveTo(this.#end.written);\n        this.#publication.tellReaders();\n",
    suite: { files: ["log/durability.test.ts"], pattern: "resolves after the sync" },
  },
  {
    name: "acknowledge-before-roll-is-synced",
    bug: "resolves appends of a segment that is about to be sealed before its sync",
    file: "log/segment-commits.ts",
    find: "          await this.#end.sync();\n          this.#publication.acknowledge(unsynced);\n",
    replace:
      "          this.#publication.acknowledge(unsynced);\n          await this.#end.sync();\n",
    suite: { files: ["log/durability.test.ts"], pattern: "goes on in the next segment" },
  },
  {
    name: "segment-under-its-final-name",
    bug: "writes the header of a new segment under its final name, so that a crash leaves half of it",
    file: "log/log-files.ts",
    find: "  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));\n  await fileSystem.rename(temporary, path);\n",
    replace: `  const file = await fileSystem.open(path, "create");
  await writeFully(file, bytes, 0);
  await file.datasync();
  await file.close();
`,
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts a torn tail" },
  },
  {
    name: "rename-before-sync",
    bug: "renames a new file over the old one and syncs it afterwards",
    file: "files/atomic-file.ts",
    find: `  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));
  await fileSystem.rename(temporary, path);
  onRenamed?.();
`,
    replace: `  const file = await fileSystem.open(path + TEMPORARY_SUFFIX, "create");
  try {
    await writeFully(file, bytes, 0);
    await fileSystem.rename(path + TEMPORARY_SUFFIX, path);
    onRenamed?.();
    await file.datasync();
  } finally {
    await file.close();
  }
`,
    suite: { files: ["files/atomic-file.test.ts"] },
  },
  {
    name: "replace-in-place",
    bug: "overwrites a small file instead of replacing it",
    file: "files/atomic-file.ts",
    find: `  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));
  await fileSystem.rename(temporary, path);
  onRenamed?.();
`,
    replace: `  await writeNewFile(fileSystem, path, bytes);
  onRenamed?.();
`,
    suite: { files: ["files/atomic-file.test.ts"] },
  },
  {
    name: "checkpoint-in-place",
    bug: "overwrites the checkpoint with its snapshot instead of replacing it",
    file: "store/checkpoint-writer.ts",
    find: "      await replaceFile(fileSystem, path, bytes, onRenamed);",
    replace: `      const overwritten = await fileSystem.open(path, "create");
      await writeFully(overwritten, bytes, 0);
      await overwritten.datasync();
      await overwritten.close();
      onRenamed();
      await fileSystem.syncDirectory(this.#directory);`,
    suite: {
      files: ["store/checkpoint.test.ts"],
      pattern: "are folded into a snapshot when the file has",
    },
  },
  {
    name: "delete-before-start-is-durable",
    bug: "deletes segments before the new start offset is durable",
    file: "log/log-bounds.ts",
    find: "        await this.#metadata.replace({ startOffset: offset });",
    replace: `        const { all } = this.#segments;
        for (const segment of all.slice(0, -1)) {
          const next = all[all.indexOf(segment) + 1]!;
          if (next.baseOffset <= offset) {
            await removeSegment(this.#environment.fileSystem, segment);
          }
        }
        await this.#metadata.replace({ startOffset: offset });`,
    suite: { files: ["log/retention.test.ts"], pattern: "makes the new start durable" },
  },
  {
    name: "delete-newest-first",
    bug: "retention deletes the newest of the doomed segments first",
    file: "log/writer-segments.ts",
    find: "    for (const segment of this.#all.slice(0, count)) {",
    replace: "    for (const segment of this.#all.slice(0, count).toReversed()) {",
    suite: { files: ["log/durable-order.test.ts"], pattern: "loses its beginning" },
  },
  {
    name: "truncate-before-bound-is-durable",
    bug: "cuts files before the truncation is recorded",
    file: "log/log-bounds.ts",
    find: "        truncation: bound,\n",
    replace: "        truncation: undefined,\n",
    suite: { files: ["log/truncation.test.ts"], pattern: "carried out by the next open" },
  },
  {
    name: "delete-key-in-place",
    bug: "deletes a key's files one by one under its name, so that a crash leaves half of it",
    file: "store/store-writer.ts",
    find: "      await fileSystem.rename(keyPath(directory, name), target);\n",
    replace: "      await fileSystem.removeTree(keyPath(directory, name));\n",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a key is deleted" },
  },
  {
    name: "epoch-after-the-cut",
    bug: "recovery cuts a torn tail before the new epoch is durable",
    file: "log/recovery.ts",
    find: "      await writeMetadata(fileSystem, directory, before);\n",
    replace: "",
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts a torn tail" },
  },
  {
    name: "release-lock-early",
    bug: "lets another writer in while the log is still being closed",
    file: "log/commit-log.ts",
    find: "        await done;\n",
    replace: "        void done.catch(() => undefined);\n",
    suite: { files: ["log/damaged-files.test.ts"], pattern: "being saved when the log closes" },
  },
  {
    name: "append-before-commits-are-clamped",
    bug: "a truncated log takes appends before commits past its end are brought back",
    file: "log/log-bounds.ts",
    find: "    await this.#onTruncated?.(offset);",
    replace: "    void this.#onTruncated?.(offset);",
    suite: {
      files: ["store/consumer-group.test.ts"],
      pattern: "before the log takes an append behind a truncation",
    },
  },
  {
    name: "marker-outlives-first-write",
    bug: "the marker of a clean close still holds while records are appended",
    file: "log/metadata-keeper.ts",
    find: "    if (!this.#now.clean && !hasProducers) return;\n",
    replace: "    if (this.#directory !== '') return;\n",
    suite: { files: ["log/damaged-files.test.ts"], pattern: "is void before the first write" },
  },
  {
    name: "marker-outlives-truncation",
    bug: "the marker of a clean close still holds while the log is truncated",
    file: "log/log-bounds.ts",
    find: "        await this.#metadata.beginSession(this.#end.durable);\n        await this.#end.takeRoomBack();\n",
    replace: "        await this.#end.takeRoomBack();\n",
    suite: { files: ["log/durable-order.test.ts"], pattern: "is changed by truncateTo" },
  },
  {
    name: "marker-outlives-deletion",
    bug: "the marker of a clean close still holds when the start offset moves",
    file: "log/log-bounds.ts",
    find: "        await this.#metadata.beginSession(this.#end.durable);\n        // A crash must not leave",
    replace: "        // A crash must not leave",
    suite: { files: ["log/durable-order.test.ts"], pattern: "is changed by deleteBefore" },
  },
  {
    name: "marker-outlives-roll-by-age",
    bug: "the marker of a clean close still holds when a segment is sealed for its age",
    file: "log/writer-segments.ts",
    find: "      await this.#metadata.beginSession(this.#end.durable);\n      await this.#end.takeRoomBack();\n      await",
    replace: "      await this.#end.takeRoomBack();\n      await",
    suite: { files: ["log/durable-order.test.ts"], pattern: "grows old" },
  },
];
