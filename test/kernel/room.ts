import { isLack } from "./codes.js";
import { roomAgain } from "./fault-checks.js";
import type { VictimProcess } from "./victim-process.js";

/** Waits until a log is refused an append for lack of room, or the victim has ended. */
export async function awaitLack(victim: VictimProcess): Promise<void> {
  await victim.first((entry) => entry.type === "refused" && isLack(entry.code));
}

/** Waits until every log that had no room has taken an append again, or the victim has ended. */
export async function awaitRoom(victim: VictimProcess): Promise<void> {
  const dead = () =>
    new Set(victim.journal.flatMap(({ entry }) => (entry.type === "probed" ? [entry.key] : [])));
  const isLacking = () => {
    const buried = dead();
    return [...roomAgain(victim.journal)].some(([key, hasRoom]) => !hasRoom && !buried.has(key));
  };
  while (isLacking() && !victim.isOver) await victim.moreThan(victim.journal.length);
}
