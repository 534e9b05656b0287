/** What is done with an example: all of it, only the types checked, or nothing. */
export type ExampleMode = "run" | "no-run" | "ignore";

export interface Example {
  /** Path of the document or source file, with forward slashes. */
  readonly file: string;
  /** `js` is run as it stands, by the Node.js that there is; `ts` is compiled first. */
  readonly language: "ts" | "js";
  /** Line of `file` at which `code` begins, counted from 1. */
  readonly line: number;
  readonly mode: ExampleMode;
  readonly code: string;
}

interface OpenFence {
  readonly marker: string;
  readonly indent: number;
  readonly info: string;
  readonly line: number;
  readonly body: string[];
}

const FENCE = /^( *)(`{3,}|~{3,})(.*)$/;

/**
 * Takes the fenced `ts` and `js` blocks out of a Markdown document. A word after that sets the
 * mode: `no-run` or `ignore`.
 *
 * @throws Error on any other word, and on a fence that is never closed: either would silently
 * leave an example unchecked.
 */
export function extractFromMarkdown(file: string, markdown: string): Example[] {
  const examples: Example[] = [];
  let open: OpenFence | undefined;
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const [, indent = "", marker = "", info = ""] = FENCE.exec(text) ?? [];
    if (!open) {
      if (marker) open = { marker, indent: indent.length, info, line: index + 1, body: [] };
    } else if (closes(open, marker, info)) {
      const example = toExample(file, open);
      if (example) examples.push(example);
      open = undefined;
    } else {
      open.body.push(removeIndent(text, open.indent));
    }
  }
  if (open) throw new Error(`${file}:${open.line}: this fence is never closed`);
  return examples;
}

/** A closing fence is of the same character, at least as long, and carries no words. */
function closes(open: OpenFence, marker: string, info: string): boolean {
  return marker.startsWith(open.marker) && info.trim() === "";
}

function removeIndent(text: string, width: number): string {
  return text.replace(new RegExp(`^ {0,${width}}`), "");
}

function toExample(file: string, fence: OpenFence): Example | undefined {
  const [language, ...words] = fence.info.trim().split(/\s+/);
  if (language !== "ts" && language !== "js") return undefined;
  const mode = toMode(words.join(" "), `${file}:${fence.line}`);
  return { file, language, line: fence.line + 1, mode, code: fence.body.join("\n") };
}

/**
 * Takes a TypeScript file as one example. A first line of `// no-run` or `// ignore` sets the
 * mode.
 */
export function extractFromSource(file: string, source: string): Example {
  const [, mode] = /^\/\/ (no-run|ignore)\r?\n/.exec(source) ?? [];
  return { file, language: "ts", line: 1, mode: toMode(mode ?? "", file), code: source };
}

function toMode(word: string, where: string): ExampleMode {
  if (word === "") return "run";
  if (word === "no-run" || word === "ignore") return word;
  throw new Error(`${where}: "${word}" is unknown here; known are no-run and ignore`);
}
