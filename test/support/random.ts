import { Random } from "../maelstrom/random.js";

export { Random };

/**
 * The seeds of a randomized test: those in SEGLOG_SEED (numbers separated by commas), to run a
 * failure again, or `count` new ones. Put the seed into the test's name, so that it is printed.
 */
export function seeds(count: number): number[] {
  const given = process.env.SEGLOG_SEED;
  if (given !== undefined) return given.split(",").map(Number);
  return Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 32));
}
