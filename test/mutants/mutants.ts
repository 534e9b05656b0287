import { clientBugs } from "./bugs/client.js";
import { commitBugs } from "./bugs/commits.js";
import { directoryBugs } from "./bugs/directories.js";
import { doorBugs } from "./bugs/doors.js";
import { failureBugs } from "./bugs/failures.js";
import { formatBugs } from "./bugs/formats.js";
import { indexBugs } from "./bugs/indexes.js";
import { journalBugs } from "./bugs/journal.js";
import { maelstromBugs } from "./bugs/maelstrom.js";
import { orderBugs } from "./bugs/order.js";
import { producerBugs } from "./bugs/producers.js";
import { readerBugs } from "./bugs/readers.js";
import { recoveryBugs } from "./bugs/recovery.js";
import { responseBugs } from "./bugs/responses.js";
import { retentionBugs } from "./bugs/retention.js";
import { roomBugs } from "./bugs/room.js";
import { serviceBugs } from "./bugs/services.js";
import { syncBugs } from "./bugs/syncs.js";
import { tailScanBugs } from "./bugs/tail-scan.js";
import { truncationBugs } from "./bugs/truncation.js";
import type { Mutant } from "./mutant.js";

/** All bugs that the gate plants. */
export const MUTANTS: readonly Mutant[] = [
  ...syncBugs,
  ...directoryBugs,
  ...orderBugs,
  ...failureBugs,
  ...recoveryBugs,
  ...tailScanBugs,
  ...truncationBugs,
  ...formatBugs,
  ...indexBugs,
  ...readerBugs,
  ...retentionBugs,
  ...commitBugs,
  ...journalBugs,
  ...producerBugs,
  ...roomBugs,
  ...serviceBugs,
  ...responseBugs,
  ...doorBugs,
  ...clientBugs,
  ...maelstromBugs,
];

/** @throws Error if no mutant has this name. */
export function findMutant(name: string): Mutant {
  const found = MUTANTS.find((mutant) => mutant.name === name);
  if (found === undefined) throw new Error(`There is no mutant ${name}. See --list.`);
  return found;
}
