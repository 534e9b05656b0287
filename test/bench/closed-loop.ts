/** Runs callers that each begin the next call when theirs is answered, `count` calls in all. */
export async function closedLoop(
  count: number,
  callers: number,
  call: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(callers, count) }, caller));
}
