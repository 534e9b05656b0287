import type { Column } from "./display.js";

/** A key of a store, wherever that is; `null` stands for what cannot be known. */
export interface ListedKey {
  readonly key: string;
  readonly startOffset: number | null;
  readonly endOffset: number | null;
  readonly segments: number;
  readonly bytes: number;
}

/** The columns of a table of keys. */
export const KEY_COLUMNS: readonly Column[] = [
  ["key", "left"],
  ["start", "right"],
  ["end", "right"],
  ["segments", "right"],
  ["bytes", "right"],
];

/** A row of that table. */
export function keyRow(listed: ListedKey, safe: (text: string) => string): string[] {
  const { key, startOffset, endOffset, segments, bytes } = listed;
  return [safe(key), ...[startOffset ?? "?", endOffset ?? "?", segments, bytes].map(String)];
}
