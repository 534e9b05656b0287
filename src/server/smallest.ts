/** The first `count` of texts in their order, without sorting all of them. */
export function smallest(texts: Iterable<string>, count: number): string[] {
  const found: string[] = [];
  let bound: string | undefined;
  for (const text of texts) {
    if (bound !== undefined && text >= bound) continue;
    found.push(text);
    if (found.length < 2 * count) continue;
    found.sort();
    found.length = count;
    bound = found[count - 1];
  }
  return found.sort().slice(0, count);
}
