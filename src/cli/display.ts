import Table from "cli-table3";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1536` -> `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Milliseconds since 1970 as ISO 8601 in UTC; as a number where a date cannot hold it. */
export function formatTime(timestamp: number): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? `${timestamp} ms` : date.toISOString();
}

/** `2 records`, `1 record`; `plural` where an "s" does not do. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** `offsets 3 to 7`, `offset 3`; `to` is exclusive. */
export function offsetRange(from: number, to: number): string {
  return to - from === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A column of a table: its title, and on which side its cells begin. */
export type Column = readonly [title: string, align: "left" | "right"];

/** Draws a table in plain characters without colours, the same on a terminal and in a file. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const none = { top: "", "top-mid": "", "top-left": "", "top-right": "" };
  const noBottom = { bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" };
  const sides = { left: "", "left-mid": "", right: "", "right-mid": "" };
  const table = new Table({
    head: columns.map(([title]) => title),
    colAligns: columns.map(([, align]) => align),
    chars: { ...none, ...noBottom, ...sides, mid: "", "mid-mid": "", middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  for (const row of rows) table.push([...row]);
  const lines = table.toString().split("\n");
  return lines.map((line) => line.trimEnd()).join("\n");
}
