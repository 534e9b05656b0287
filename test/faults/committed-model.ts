import assert from "node:assert/strict";
import type { LogStore } from "../../src/store/log-store.js";

/** What one group may have committed of one key. */
interface Place {
  readonly group: string;
  readonly key: string;
  /** Any of these, by what was said; `undefined` is nothing. */
  possible: (number | undefined)[];
  /** Everything that it ever was. */
  readonly history: (number | undefined)[];
}

/** What must be committed in a store, by what it has said of each call. */
export class CommittedModel {
  #places: Place[] = [];
  /** Keys of which a truncation may have stopped half-way. */
  readonly #givenUp = new Set<string>();

  copy(): CommittedModel {
    const copy = new CommittedModel();
    copy.#places = structuredClone(this.#places);
    return copy;
  }

  set(group: string, key: string, next: number, mode: "commit" | "seek"): void {
    const place = this.#place(group, key);
    const isLower = (each: number | undefined) => each === undefined || each < next;
    // A commit never goes back.
    place.possible =
      mode === "seek" || place.possible.some(isLower)
        ? [next, ...(mode === "seek" ? [] : place.possible.filter((each) => !isLower(each)))]
        : place.possible;
    place.history.push(next);
  }

  maySet(group: string, key: string, next: number): void {
    const place = this.#place(group, key);
    place.possible.push(next);
    place.history.push(next);
  }

  truncated(key: string, offset: number): void {
    for (const place of this.#of(key)) {
      place.possible = place.possible.map((each) => each && Math.min(each, offset));
      place.history.push(offset);
    }
  }

  /** Everything is open anew. */
  reopened(): void {
    this.#givenUp.clear();
  }

  mayBeTruncated(key: string, offset: number): void {
    this.#givenUp.add(key);
    for (const place of this.#of(key)) {
      place.possible.push(...place.possible.map((each) => each && Math.min(each, offset)));
      place.history.push(offset);
    }
  }

  /** @param isCertain - Whether a crash may bring them back. */
  deleted(key: string, isCertain: boolean): void {
    for (const place of this.#of(key)) {
      place.possible = isCertain ? [undefined] : [...place.possible, undefined];
    }
  }

  /** Compares a store with this. */
  async check(store: LogStore, how: "session" | "prefix"): Promise<void> {
    for (const group of new Set(this.#places.map((each) => each.group))) {
      const committed = await store.group(group).committed();
      for (const place of this.#places) {
        if (place.group !== group) continue;
        const { key, possible, history } = place;
        const next = committed.get(key);
        const end = (await store.bounds(key))?.endOffset ?? 0;
        // Of a log that was given up half-way in a truncation, the next open brings them back.
        const isGivenUp = this.#givenUp.has(key);
        assert(
          next === undefined || next <= end || isGivenUp,
          `${key}: ${next} is committed, past ${end}`,
        );
        const allowed = how === "session" ? possible : [undefined, end, ...history];
        assert(
          allowed.includes(next),
          `${group} has committed ${next} of ${key}, not one of ${allowed.join(", ")}`,
        );
      }
    }
  }

  #of(key: string): Place[] {
    return this.#places.filter((each) => each.key === key);
  }

  #place(group: string, key: string): Place {
    const known = this.#places.find((each) => each.group === group && each.key === key);
    if (known !== undefined) return known;
    const place: Place = { group, key, possible: [undefined], history: [undefined] };
    this.#places.push(place);
    return place;
  }
}
