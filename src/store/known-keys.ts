import { SortedKeys } from "./sorted-keys.js";

/**
 * The keys that a store knows of: a set, which also tells their order once somebody has asked for
 * it. Then all are sorted, once, and a key that comes or goes finds its place; until then, order
 * costs nothing.
 */
export class KnownKeys implements Iterable<string> {
  readonly #keys: Set<string>;
  #sorted: SortedKeys | undefined;

  constructor(keys: Iterable<string>) {
    this.#keys = new Set(keys);
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.#sorted?.add(key);
  }

  delete(key: string): void {
    if (this.#keys.delete(key)) this.#sorted?.delete(key);
  }

  /** In no particular order. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.#keys.values();
  }

  /** As `SortedKeys.from`. */
  from(start: string): Iterable<string> {
    this.#sorted ??= new SortedKeys(this.#keys);
    return this.#sorted.from(start);
  }
}
