import type { Mutant } from "./mutant.js";

/**
 * The text of a source file with the bug in it.
 *
 * @throws Error unless the text that is to be replaced occurs exactly once, and differs from what
 *   replaces it.
 */
export function plant(source: string, { name, file, find, replace }: Mutant): string {
  const places = source.split(find).length - 1;
  if (places !== 1) {
    throw new Error(
      `Mutant ${name}: its text occurs ${places} times in src/${file} instead of once. The source ` +
        "has changed: bring `find` and `replace` up to date.",
    );
  }
  if (find === replace) throw new Error(`Mutant ${name} changes nothing`);
  // By a function, since a replacement text may hold `$&` and the like.
  return source.replace(find, () => replace);
}
