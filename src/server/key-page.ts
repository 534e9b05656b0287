import type { LogStore } from "../store/log-store.js";

/** Which keys to list, and how many of them. */
export interface KeyPageOrder {
  /** What they begin with. */
  readonly prefix: string;
  /** Of the page before; any text will do, and empty is the first page. */
  readonly pageToken: string;
  readonly size: number;
}

/** Keys in the order of their names. */
export interface KeyPage {
  readonly keys: string[];
  /** Empty if there are no more. */
  readonly nextPageToken: string;
}

/**
 * Some of a store's keys, without a look at others. A token is the last key of the page before: so
 * nothing has to be kept from page to page, and keys that come and go in between do no harm.
 */
export function keyPage(
  store: Pick<LogStore, "keysFrom">,
  { prefix, pageToken, size }: KeyPageOrder,
): KeyPage {
  const keys: string[] = [];
  for (const key of store.keysFrom(pageToken > prefix ? pageToken : prefix)) {
    // Those with a prefix stand together.
    if (!key.startsWith(prefix)) break;
    if (key === pageToken) continue;
    if (keys.length === size) return { keys, nextPageToken: keys[size - 1]! };
    keys.push(key);
  }
  return { keys, nextPageToken: "" };
}
