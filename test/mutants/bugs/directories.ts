import type { Mutant } from "../mutant.js";

/** Names whose directory is not synced, one place after the other. */
export const directoryBugs: readonly Mutant[] = [
  {
    name: "skip-directory-sync-of-replaced-file",
    bug: "a replaced file may have its old content again after a power cut",
    file: "files/atomic-file.ts",
    find: "  await fileSystem.syncDirectory(dirname(path));\n",
    replace: "",
    suite: { files: ["files/atomic-file.test.ts"] },
  },
  {
    name: "skip-directory-sync-of-new-segment",
    bug: "a new segment takes appends before its name is durable",
    file: "log/log-files.ts",
    find: "  await fileSystem.syncDirectory(directory);\n",
    replace: "",
    suite: { files: ["log/durability.test.ts"], pattern: "a new log" },
  },
  {
    name: "skip-directory-sync-of-new-directory",
    bug: "makes a store in directories whose own names are not durable",
    file: "log/log-creation.ts",
    find: "    await syncParent(fileSystem, each);\n",
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a store is made" },
  },
  {
    name: "skip-directory-sync-at-open",
    bug: "believes that whoever made or moved a log's directory lived to sync its parent",
    file: "log/commit-log.ts",
    find: `      if (before?.hasMetadata === true) await syncParent(fileSystem, directory);
`,
    replace: "",
    suite: { files: ["log/durable-order.test.ts"], pattern: "finds all in order" },
  },
  {
    name: "skip-directory-sync-in-new-log",
    bug: "gives a new log's directory its name before the names in it are durable",
    file: "log/log-creation.ts",
    find: "  await fileSystem.syncDirectory(temporary);\n",
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a key is made" },
  },
  {
    name: "skip-directory-sync-of-new-log",
    bug: "a new log of a store takes appends before its directory's name is durable",
    file: "log/log-creation.ts",
    find: "  await fileSystem.rename(temporary, directory);\n  await fileSystem.syncDirectory(dirname(directory));\n",
    replace: "  await fileSystem.rename(temporary, directory);\n",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a key is made" },
  },
  {
    name: "skip-directory-sync-of-recovery",
    bug: "goes on after a crash before the recovered segment has its name durably",
    file: "log/recovery.ts",
    find: "  await fileSystem.syncDirectory(directory);\n",
    replace: "",
    suite: { files: ["log/durable-order.test.ts"], pattern: "cuts a torn tail" },
  },
  {
    name: "skip-directory-sync-of-truncation",
    bug: "begins the segment behind a truncation before the cut one has its name durably",
    file: "log/truncation.ts",
    find: "  await fileSystem.syncDirectory(directory);\n",
    replace: "",
    suite: { files: ["log/durable-order.test.ts"], pattern: "is truncated" },
  },
  {
    name: "skip-directory-sync-of-deleted-key",
    bug: "a deleted key may be there again after a power cut, without its committed offsets",
    file: "store/log-store.ts",
    find: "      await fileSystem.syncDirectory(join(this.directory, LOGS_DIRECTORY));\n",
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a key is deleted" },
  },
  {
    name: "skip-directory-sync-in-operating-system",
    bug: "a sync of a directory that never reaches the operating system",
    file: "files/node-file-system.ts",
    find: "        await directory.sync();\n",
    replace: "",
    suite: { files: ["files/node-file-system.test.ts"], pattern: "a sync of a directory" },
  },
  {
    name: "skip-directory-sync-at-store-open",
    bug: "believes that whoever made a store lived to sync its directory",
    file: "store/log-store.ts",
    find: `      await fileSystem.syncDirectory(directory);
      if (before?.hasMetadata === true) await syncParent(fileSystem, directory);
`,
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a store is opened again" },
  },
  {
    name: "skip-directory-sync-before-redo",
    bug: "goes on with an interrupted deletion before the metadata that says so are durable",
    file: "log/recovery.ts",
    find: "    await environment.fileSystem.syncDirectory(directory);\n",
    replace: "",
    suite: { files: ["log/durable-order.test.ts"], pattern: "goes on with a deletion" },
  },
  {
    name: "skip-directory-sync-before-key-removal",
    bug: "goes on with the deletion of a key before the renaming that says so is durable",
    file: "store/log-store.ts",
    find: `        await fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));
`,
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "a deletion is completed" },
  },
  {
    name: "crash-leaves-checkpoint-in-cache",
    bug: "tells committed offsets that a crash left in the page cache and nowhere else",
    file: "store/log-store.ts",
    find: `      if (session.followsCrash && loaded.fileBytes > 0) await committed.secure();
`,
    replace: "",
    suite: { files: ["store/durable-order.test.ts"], pattern: "is opened after a crash" },
  },
];
