/** What a callback of the user throws is an uncaught exception, and stops nobody half-way. */
export function shielded<T>(callback: (error: T) => void, error: T): void {
  try {
    callback(error);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
