import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyPage } from "../../src/server/key-page.js";
import { KnownKeys } from "../../src/store/known-keys.js";

/** A store's keys, which counts those that are looked at. */
class Watched {
  readonly known: KnownKeys;
  looks = 0;

  constructor(keys: Iterable<string>) {
    this.known = new KnownKeys(keys);
  }

  *keysFrom(start: string): Generator<string> {
    for (const key of this.known.from(start)) {
      this.looks++;
      yield key;
    }
  }
}

/** All pages, from the first one on. */
function pagesOf(
  store: Watched,
  prefix: string,
  size: number,
  between: (pageToken: string) => void = () => undefined,
): string[][] {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = keyPage(store, { prefix, pageToken, size });
    pages.push(page.keys);
    if (pages.length > 1000) throw new Error("the pages never end");
    pageToken = page.nextPageToken;
    between(pageToken);
  } while (pageToken !== "");
  return pages;
}

const text = fc.string({ unit: "binary", minLength: 1, maxLength: 3 });

describe("pages of keys", () => {
  it("hold all keys with the prefix, in order, each full but for the last", () => {
    const keys = fc.uniqueArray(text, { maxLength: 40 });
    const prefix = fc.oneof(fc.constant(""), text);
    fc.assert(
      fc.property(keys, prefix, fc.integer({ min: 1, max: 9 }), (list, prefix, size) => {
        const pages = pagesOf(new Watched(list), prefix, size);
        const expected = list.filter((key) => key.startsWith(prefix)).sort();
        expect(pages.flat()).toEqual(expected);
        expect(pages).toHaveLength(Math.max(1, Math.ceil(expected.length / size)));
      }),
    );
  });

  it("take any text for a token, and give what stands behind it", () => {
    const keys = fc.uniqueArray(text, { maxLength: 20 });
    fc.assert(
      fc.property(keys, text, fc.string({ unit: "binary" }), (list, prefix, pageToken) => {
        const page = keyPage(new Watched(list), { prefix, pageToken, size: 100 });
        const behind = list.filter((key) => key.startsWith(prefix) && key > pageToken);
        expect(page).toEqual({ keys: behind.sort(), nextPageToken: "" });
      }),
    );
  });

  it("leave out no key that is there all the while, and tell none twice", () => {
    const store = new Watched(Array.from({ length: 100 }, (_, index) => `k${index}`));
    // The key that the token names goes, and others come before and behind it.
    const pages = pagesOf(store, "k", 7, (pageToken) => {
      store.known.delete(pageToken);
      store.known.add(`${pageToken}-`);
      store.known.add(pageToken.slice(0, 2));
    });
    const told = pages.flat();
    expect(new Set(told).size).toBe(told.length);
    const stayed = Array.from({ length: 100 }, (_, index) => `k${index}`).filter((key) =>
      store.known.has(key),
    );
    expect(stayed.filter((key) => !told.includes(key))).toEqual([]);
  });

  it("are found without a look at other keys", () => {
    const names = Array.from({ length: 3000 }, (_, index) => `k${String(index).padStart(4, "0")}`);
    const store = new Watched(["a", "b", ...names, "z"]);
    pagesOf(store, "k", 10);
    // Each page looks at the token before it and at one key behind it.
    expect(store.looks).toBeLessThan(names.length + 2 * (names.length / 10) + 1);
  });
});
