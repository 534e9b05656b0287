import { cpSync, rmSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";

/** What each of the store's two producers is opened as. */
export const DELETED_PRODUCER = "deleted";
export const KEPT_PRODUCER = "kept";

/**
 * A store as SIGKILL in the middle of a truncation leaves it: the bound is recorded, one of the
 * segments behind it is removed, others are there, and so is the one that it goes through, whole.
 * The journal has records of the log, and behind them the mark that makes them void. Segments with
 * the batches of a producer were deleted before, so that the file `producers` alone tells of it.
 */
export async function writeTruncatingStore(
  environment: LogEnvironment,
  directory: string,
): Promise<void> {
  const work = `${directory}.writer`;
  rmSync(work, { recursive: true, force: true });
  const options = { segmentBytes: 600 };
  const first = await LogStore.openOn(environment, work, options);
  const deleted = { ...(await first.openProducer(DELETED_PRODUCER)), sequence: 0 };
  await first.appendBatch("orders", ["of a producer", "and deleted"], { producer: deleted });
  for (let index = 2; index < 18; index++) {
    await first.append("orders", `record ${index} ${"-".repeat(60)}`);
  }
  await (await first.log("orders")).deleteBefore(6);
  const kept = await first.openProducer(KEPT_PRODUCER);
  await first.appendBatch("orders", ["18", "19"], { producer: { ...kept, sequence: 0 } });
  await first.close();

  let isTruncating = false;
  let removedSegments = 0;
  const fileSystem: LogEnvironment["fileSystem"] = {
    ...environment.fileSystem,
    unlink: (path) => {
      // Taken while the writer is open, as a kill takes it.
      if (isTruncating && path.endsWith(".log") && ++removedSegments === 2) {
        cpSync(work, directory, { recursive: true });
      }
      return environment.fileSystem.unlink(path);
    },
  };
  const second = await LogStore.openOn(
    { ...environment, fileSystem, journalFrom: 0 },
    work,
    options,
  );
  for (const [key, value] of [
    ["mail", "makes the journal"],
    ["mail", "stands there"],
    ["orders", "20"],
    ["orders", "21"],
    ["mail", "stands there, too"],
  ] as const) {
    await second.append(key, value);
    // A log is asked again only when it has come to rest whether its appends go to the journal.
    await nextTurn();
  }
  await second.group("readers").commit({ orders: 20, mail: 2 });
  isTruncating = true;
  await (await second.log("orders")).truncateTo(9);
  await second.close();
}
