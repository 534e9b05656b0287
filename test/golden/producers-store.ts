import { cpSync, rmSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";

/** Of the producer that appends to it: 2^63 + 5. */
export const PRODUCER_ID = 9_223_372_036_854_775_813n;

/**
 * A store as SIGKILL leaves it while producers append to logs that share the journal: batches of
 * one and of several records, with keys of their own and without, between records of nobody.
 */
export async function writeProducersStore(
  environment: LogEnvironment,
  directory: string,
): Promise<void> {
  const work = `${directory}.writer`;
  rmSync(work, { recursive: true, force: true });
  const store = await LogStore.openOn({ ...environment, journalFrom: 0 }, work);
  const append = async (
    key: string,
    records: Parameters<LogStore["appendBatch"]>[1],
    sequence?: number,
    epoch = 3,
  ) => {
    const producer = sequence === undefined ? undefined : { id: PRODUCER_ID, epoch, sequence };
    await store.appendBatch(key, records, { producer });
    // A log is asked again only when it has come to rest whether its appends go to the journal.
    await nextTurn();
  };
  // The first one makes the journal, and stays in the segment.
  await append("orders", ["sequence 0", "sequence 1"], 0);
  await append("mail", ["of nobody"]);
  await append("orders", ["sequence 2"], 2);
  await append("orders", ["sequence 3", { value: "sequence 4", key: "k" }, ""], 3);
  await append("mail", [{ value: "sequence 0", key: "" }], 0);
  await append("orders", ["of nobody"]);
  await append("orders", ["sequence 0 of another epoch"], 0, 4);
  await append("mail", ["sequence 1", { value: "sequence 2", headers: { h: "v" } }], 1);
  // Taken while the writer is open, as a kill takes it.
  cpSync(work, directory, { recursive: true });
  await store.close();
}
