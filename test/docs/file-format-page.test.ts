import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${ROOT}/docs/file-format.md`, "utf8");

describe("docs/file-format.md", () => {
  it("shows bytes as they are in the golden files", () => {
    const dumps = hexDumps(page);
    expect(dumps.length).toBeGreaterThanOrEqual(5);
    for (const { file, position, bytes } of dumps) {
      expect(existsSync(`${ROOT}/${file}`), `${file} exists`).toBe(true);
      const content = readFileSync(`${ROOT}/${file}`);
      const found = content.subarray(position, position + bytes.length / 2).toString("hex");
      expect(found, `${file} at ${position}`).toBe(bytes);
    }
  });

  it.each([
    ["log-metadata.ts", "log.meta"],
    ["segment-header.ts", "Segments"],
    ["block-header.ts", "Blocks"],
    ["index-file.ts", "Index files"],
    ["published-end.ts", "published"],
    ["store-metadata.ts", "store.meta and key directories"],
    ["checkpoint-frame.ts", "committed-offsets"],
  ])("has the fields of src/format/%s", (source, heading) => {
    const comment = readFileSync(`${ROOT}/src/format/${source}`, "utf8");
    expect(fieldsOfPage(sectionOf(heading))).toEqual(fieldsOfComment(comment));
  });
});

interface HexDump {
  readonly file: string;
  readonly position: number;
  readonly bytes: string;
}

/** Fenced blocks of lines like `00000010  53 4c …`; the path that was named last is their file. */
function hexDumps(markdown: string): HexDump[] {
  const dumps: HexDump[] = [];
  for (const match of markdown.matchAll(/```text\n((?:[0-9a-f]{8} [ 0-9a-f]+\n)+)```/g)) {
    const before = markdown.slice(0, match.index);
    const file = [...before.matchAll(/`(fixtures\/[^`]+)`/g)].at(-1)?.[1] ?? "";
    const lines = match[1]!.trimEnd().split("\n");
    const bytes = lines.map((line) => line.slice(10).replaceAll(" ", "")).join("");
    dumps.push({ file, position: Number.parseInt(lines[0]!.slice(0, 8), 16), bytes });
  }
  return dumps;
}

function sectionOf(heading: string): string {
  const start = page.indexOf(`\n## ${heading}\n`);
  expect(start, `a section "${heading}"`).toBeGreaterThan(0);
  const end = page.indexOf("\n## ", start + 1);
  return page.slice(start, end);
}

const WIDTHS: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/** Position and length of each field, from rows such as `| 8 | u16 | format version: 0 |`. */
function fieldsOfPage(section: string): string[] {
  const rows = section.matchAll(/^\| (\d+) +\| (?:(u\d+)|(\d+) bytes) +\|/gm);
  return [...rows].map(([, position, type, bytes]) => `${position}+${WIDTHS[type!] ?? bytes}`);
}

/** The same, from lines such as ` *   8         2      format version: 0`. */
function fieldsOfComment(source: string): string[] {
  const comment = source.slice(source.indexOf("/*\n"), source.indexOf("*/"));
  const lines = comment.matchAll(/^ \* {3}(\d+) +(\d+) +\S/gm);
  return [...lines].map(([, position, bytes]) => `${position}+${bytes}`);
}
