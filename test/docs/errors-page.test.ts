import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${ROOT}/docs/errors.md`, "utf8");
const source = readFileSync(`${ROOT}/src/errors.ts`, "utf8");

/** The members of the union `SeglogErrorCode`. */
const codes = [...source.matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code!).sort();

describe("docs/errors.md", () => {
  it("has a heading for each code, and for nothing else", () => {
    expect(codes.length).toBeGreaterThan(10);
    const headings = [...page.matchAll(/^## ([A-Z_]+)$/gm)].map(([, code]) => code!).sort();
    expect(headings).toEqual(codes);
  });

  it("has a row for each code that leads to its heading", () => {
    const rows = page.matchAll(/^\| \[`([A-Z_]+)`\]\(#([a-z_]+)\)/gm);
    const links = [...rows].map(([, code, anchor]) => [code, anchor]);
    expect(links.map(([code]) => code).sort()).toEqual(codes);
    expect(links.every(([code, anchor]) => anchor === code!.toLowerCase())).toBe(true);
  });
});
