const BASE_MS = 50;
const MOST_MS = 2000;

/**
 * How long to wait before the next attempt: anything from nothing to a bound that doubles with each
 * failure, so that many who failed at the same moment do not come back at the same moment.
 *
 * @param failures - In a row, at least 1.
 */
export function backoffMs(failures: number): number {
  return Math.random() * Math.min(MOST_MS, BASE_MS * 2 ** (failures - 1));
}
