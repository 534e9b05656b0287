import { cpSync, rmSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";

/**
 * A store as SIGKILL leaves it while its logs share the journal: records that stand there alone,
 * behind others in segments, and in front of marks of truncations and of a key that was deleted.
 */
export async function writeJournaledStore(
  environment: LogEnvironment,
  directory: string,
): Promise<void> {
  const work = `${directory}.writer`;
  rmSync(work, { recursive: true, force: true });
  const store = await LogStore.openOn({ ...environment, journalFrom: 0 }, work);
  const append = async (key: string, record: Parameters<LogStore["append"]>[1]) => {
    await store.append(key, record);
    // A log is asked again only when it has come to rest whether its appends go to the journal.
    await nextTurn();
  };
  // The first one is what makes the journal.
  for (let index = 0; index < 3; index++) {
    for (const key of ["orders", "Mail", "gone", "cut"]) {
      await append(key, `record ${index} of ${key}`);
    }
  }
  await append("orders", { value: "keyed", key: "k", timestamp: 5 });
  await append("orders", { value: "", key: "", headers: { h: "v" } });
  await store.appendBatch("Mail", ["one", { value: "two", key: "m" }, "three"]);
  await (await store.log("cut")).truncateTo(1);
  await nextTurn();
  await append("cut", "another 1");
  await store.deleteKey("gone");
  await store.group("readers").commit({ orders: 4, cut: 2 });
  // Taken while the writer is open, as a kill takes it.
  cpSync(work, directory, { recursive: true });
  await store.close();
}
