/** Batches that are on their way at a time, to those who take more than one. */
const IN_FLIGHT = 64;

/** Does something with each batch, with so many of them on their way at a time. */
export async function inWindow(
  batches: Iterable<readonly Buffer[]>,
  append: (batch: readonly Buffer[]) => Promise<unknown>,
): Promise<void> {
  const inFlight: Promise<unknown>[] = [];
  for (const batch of batches) {
    if (inFlight.length === IN_FLIGHT) await inFlight.shift();
    inFlight.push(append(batch));
  }
  await Promise.all(inFlight);
}
