/**
 * Microseconds on a clock that is common to all processes of the machine, which that of
 * `performance.now()` is not: CLOCK_MONOTONIC, on Linux.
 */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
