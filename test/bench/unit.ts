/** What a figure counts. */
export type Unit = "records/s" | "reads/s" | "commits/s" | "B/record" | "µs" | "ms" | "MiB";

/** Whether of two figures the lower one is better: of all but rates. */
export function isLessBetter(unit: Unit): boolean {
  return !unit.endsWith("/s");
}
