import type { FileSystem } from "../../src/files/file-system.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";

const nothing = async (): Promise<void> => undefined;

/** The real file system, which puts nothing on stable storage: what a benchmark only sets up. */
export const unsyncedFiles: FileSystem = {
  ...nodeFileSystem,
  open: async (path, mode) =>
    Object.assign(await nodeFileSystem.open(path, mode), { datasync: nothing }),
  openSync: (path, mode) =>
    Object.assign(nodeFileSystem.openSync(path, mode), { datasync: nothing }),
  syncDirectory: nothing,
};
