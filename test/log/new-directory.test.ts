import { describe, expect, test } from "vitest";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { valuesOf } from "../support/log-builder.js";
import { MemoryDisk, syncedOnly } from "../support/memory-disk.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";

const DIRECTORY = "/some/new/place";

/** The disk after a power cut, if it has nothing but what was synced. */
function afterPowerCut({ disk }: MemoryFileSystem): MemoryFileSystem {
  return new MemoryFileSystem(MemoryDisk.from(disk.capture(), syncedOnly));
}

/*
 * The first open makes the directories and fails before their names are on stable storage. The
 * second one finds them there.
 */
describe("a directory whose name could not be synced when it was made", () => {
  for (const after of [0, 1, 2, 3, 4]) {
    test(`holds what is acknowledged in its log later, failure ${after}`, async () => {
      const memory = new MemoryFileSystem();
      const system = new FaultyFileSystem(memory);
      system.fail({ kind: "syncDirectory" }, { errno: "EIO", after });
      expect(await codeOf(CommitLog.openOn(createEnvironment(system), DIRECTORY))).toBe("IO_ERROR");
      const log = await CommitLog.openOn(createEnvironment(system), DIRECTORY);
      await log.append("acknowledged");
      const left = await CommitLog.openOn(createEnvironment(afterPowerCut(memory)), DIRECTORY);
      expect(await valuesOf(left)).toEqual(["acknowledged"]);
      await left.close();
      await log.close();
    });

    test(`holds what is acknowledged in its store later, failure ${after}`, async () => {
      const memory = new MemoryFileSystem();
      const system = new FaultyFileSystem(memory);
      system.fail({ kind: "syncDirectory" }, { errno: "EIO", after });
      expect(await codeOf(LogStore.openOn(createEnvironment(system), DIRECTORY))).toBe("IO_ERROR");
      const store = await LogStore.openOn(createEnvironment(system), DIRECTORY);
      await store.append("key", "acknowledged");
      const left = await LogStore.openOn(createEnvironment(afterPowerCut(memory)), DIRECTORY);
      expect(await valuesOf(await left.log("key"))).toEqual(["acknowledged"]);
      await left.close();
      await store.close();
    });
  }
});
