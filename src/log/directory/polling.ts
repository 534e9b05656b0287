/** How often a process looks for what another one has written. */
export const POLL_MS = 10;
/** How often it looks again when a writer deletes or makes files between two looks, which is rare. */
export const MAX_ATTEMPTS = 100;

/** Waits, and ends early with the signal's reason. It keeps the process alive, as a wait should. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
