import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const pages = [
  "README.md",
  "CHANGELOG.md",
  "fixtures/golden/README.md",
  "fixtures/maelstrom/README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

describe.each(pages)("%s", (page) => {
  const text = withoutFences(readFileSync(join(ROOT, page), "utf8"));

  it("links to what exists", () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(page, target));
    expect(broken).toEqual([]);
  });

  it("names tests that exist", () => {
    const missing = [...text.matchAll(/`((?:[\w-]+\/)+[\w-]+\.test\.ts)`/g)]
      .map(([, path]) => path!.replace(/^test\//, ""))
      .filter((path) => !existsSync(join(ROOT, "test", path)));
    expect(missing).toEqual([]);
  });
});

function leadsSomewhere(page: string, target: string): boolean {
  const [path, anchor] = target.split("#");
  const file = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path!));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(file: string): string[] {
  const text = withoutFences(readFileSync(join(ROOT, file), "utf8"));
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```$/gms, "");
}
