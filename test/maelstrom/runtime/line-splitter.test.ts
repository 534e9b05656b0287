import { describe, expect, it } from "vitest";
import { type InputLine, LineSplitter } from "../../../src/maelstrom/runtime/line-splitter.js";

/** Splits `input` in chunks of `chunkBytes`, with a bound of 10 bytes a line. */
function split(input: string | Uint8Array, chunkBytes: number): InputLine[] {
  const bytes = Buffer.from(input);
  const splitter = new LineSplitter(10);
  const lines: InputLine[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    lines.push(...splitter.split(bytes.subarray(start, start + chunkBytes)));
  }
  const last = splitter.end();
  return last ? [...lines, last] : lines;
}

describe.each([1, 2, 3, 7, 1000])("LineSplitter, given %d bytes at a time", (chunkBytes) => {
  it.each<[string, string, string[]]>([
    ["nothing", "", []],
    ["one line", "abc\n", ["abc"]],
    ["lines, an empty one among them", "a\n\nb\n", ["a", "", "b"]],
    ["a last line without an end", "a\nb", ["a", "b"]],
    ["characters of several bytes", "äöü€\n𝄞\n", ["äöü€", "𝄞"]],
    ["a line as long as lines may be", "0123456789\n", ["0123456789"]],
  ])("takes %s", (_, input, expected) => {
    expect(split(input, chunkBytes)).toEqual(expected.map((text) => ({ text })));
  });

  it("gives up a line that is too long and takes the next", () => {
    expect(split("0123456789x\nabc\n", chunkBytes)).toEqual([
      { fault: "a line of 11 bytes, more than 10" },
      { text: "abc" },
    ]);
    expect(split("a\n0123456789xyz", chunkBytes)).toEqual([
      { text: "a" },
      { fault: "a line of 13 bytes, more than 10" },
    ]);
  });

  it("gives up a line that is not UTF-8 and takes the next", () => {
    expect(split(Buffer.from([0xff, 0x0a, 0x61, 0x0a]), chunkBytes)).toEqual([
      { fault: "a line of 1 bytes that are not UTF-8" },
      { text: "a" },
    ]);
  });
});
