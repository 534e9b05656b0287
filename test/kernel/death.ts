import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.js";
import type { VictimProcess } from "./victim-process.js";

/** Where in its life the victim is struck. */
export type Moment = "opening" | "running" | "closing";

/** Longest times into a stage at which the blow falls, in milliseconds. */
const OPENING_MS = 60;
const CLOSING_MS = 20;
/** Most acknowledgements that are waited for while it runs, and how long at most. */
const ACKNOWLEDGEMENTS = 200;
const RUNNING_MS = 600;

export function pickMoment(random: Random): Moment {
  return random.pick(["opening", "closing", "running", "running", "running", "running"]);
}

/** Lets the victim live up to a random point of the stage; it may have ended by then. */
export async function awaitMoment(
  victim: VictimProcess,
  moment: Moment,
  random: Random,
): Promise<void> {
  if (moment === "opening") {
    await victim.first(({ type }) => type === "started");
    await delay(random.next() * OPENING_MS);
    return;
  }
  await victim.first(({ type }) => type === "opened");
  const enough = new AbortController();
  const wanted = random.below(ACKNOWLEDGEMENTS);
  await Promise.race([
    victim.acknowledged(wanted),
    delay(RUNNING_MS, undefined, { signal: enough.signal }).catch(() => undefined),
  ]).finally(() => enough.abort());
  if (moment === "running") return;
  victim.close();
  await delay(random.next() * CLOSING_MS);
}
