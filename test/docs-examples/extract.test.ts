import { describe, expect, it } from "vitest";
import { extractFromMarkdown, extractFromSource } from "./extract.js";

const markdown = (...lines: string[]) => extractFromMarkdown("a.md", lines.join("\n"));

describe("extractFromMarkdown", () => {
  it("takes TypeScript and JavaScript with the line at which they begin", () => {
    expect(markdown("# Title", "```ts", "one();", "two();", "```", "", "```js", "```")).toEqual([
      { file: "a.md", language: "ts", line: 3, mode: "run", code: "one();\ntwo();" },
      { file: "a.md", language: "js", line: 8, mode: "run", code: "" },
    ]);
  });

  it("reads the mode", () => {
    const modes = markdown("```ts no-run", "```", "```ts  ignore", "```", "~~~ ts", "~~~");
    expect(modes.map((example) => example.mode)).toEqual(["no-run", "ignore", "run"]);
  });

  it("leaves other languages alone", () => {
    expect(markdown("```", "a", "```", "```sh ts", "b", "```", "```tsx", "c", "```")).toEqual([]);
  });

  it("leaves a block inside another block alone", () => {
    expect(markdown("````md", "```ts", "a();", "```", "````")).toEqual([]);
  });

  it("takes a line that only looks like a fence as code", () => {
    const [example] = markdown("```ts", "const a = `", "~~~", "```ts", "`;", "```");
    expect(example?.code).toBe("const a = `\n~~~\n```ts\n`;");
  });

  it("removes the indent of a list item", () => {
    const [example] = markdown("- item", "  ```ts", "  if (a) {", "    b();", "  }", "  ```");
    expect(example?.code).toBe("if (a) {\n  b();\n}");
  });

  it("reads Windows line ends", () => {
    expect(extractFromMarkdown("a.md", "```ts\r\na();\r\n```\r\n")[0]?.code).toBe("a();");
  });

  it("refuses a word that it does not know", () => {
    expect(() => markdown("", "```ts norun", "```")).toThrow(/^a\.md:2: "norun" is unknown/);
  });

  it("refuses a fence that is never closed", () => {
    expect(() => markdown("```ts", "a();")).toThrow("a.md:1: this fence is never closed");
  });
});

describe("extractFromSource", () => {
  it.each([
    ["a();\n", "run"],
    ["// no-run\na();\n", "no-run"],
    ["// ignore\r\na();\n", "ignore"],
    ["a();\n// ignore\n", "run"],
  ])("takes %j as one example", (source, mode) => {
    const expected = { file: "docs/examples/a.ts", language: "ts", line: 1, mode, code: source };
    expect(extractFromSource("docs/examples/a.ts", source)).toEqual(expected);
  });
});
