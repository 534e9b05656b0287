// Checks that the examples of the documentation hold: those in README.md and docs/*.md, and the
// files of docs/examples/. Each is type-checked against the built package, which it imports by its
// name as a user would, and then run twice in a directory of its own, which is empty at first: who
// tries an example tries it again. JavaScript is run as it stands.
//
// Arguments choose examples by a part of their file's path; what those print is shown.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Example, extractFromMarkdown, extractFromSource } from "./extract.js";

const RUN_TIMEOUT_MS = 30_000;

// Inside the package, so that Node and TypeScript resolve "seglog" to it by its own exports.
const WORK = join(".build", "examples");
const SOURCES = join(WORK, "src");
const COMPILED = join(WORK, "out");

const EXAMPLES_TSCONFIG = {
  extends: "../../tsconfig.json",
  compilerOptions: {
    rootDir: "src",
    outDir: "out",
    declaration: false,
    inlineSourceMap: true,
    allowJs: true,
    checkJs: true,
    // Every block is a module of its own, also one that imports nothing.
    moduleDetection: "force",
    // An example may name a result only to show it.
    noUnusedLocals: false,
    // Also checks the declarations that the package ships.
    skipLibCheck: false,
  },
  include: ["src"],
};

process.exitCode = main(process.argv.slice(2));

function main(parts: readonly string[]): number {
  const isChosen = ({ file }: Example) => parts.some((part) => file.includes(part));
  const all = collectExamples();
  const found = parts.length === 0 ? all : all.filter(isChosen);
  if (found.length === 0) {
    console.error(`No file with examples has ${parts.join(" or ")} in its path.`);
    return 1;
  }
  const examples = found.filter((example) => example.mode !== "ignore");
  const ignored = found.length - examples.length;
  if (!typeCheck(examples)) return 1;
  const runnable = examples.filter((example) => example.mode === "run");
  const failed = runnable.filter((example) => !runTwice(example, parts.length > 0)).length;
  console.log(
    `${examples.length} examples: ${runnable.length - failed} ran, ${failed} failed, ` +
      `${examples.length - runnable.length} only type-checked; ${ignored} ignored`,
  );
  return failed === 0 ? 0 : 1;
}

function collectExamples(): Example[] {
  const documents = ["README.md", ...list("docs", ".md")].filter((path) => existsSync(path));
  return [
    ...documents.flatMap((path) => extractFromMarkdown(path, readFileSync(path, "utf8"))),
    ...list("docs/examples", ".ts").map((path) =>
      extractFromSource(path, readFileSync(path, "utf8")),
    ),
  ];
}

function list(directory: string, extension: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith(extension));
  return names.sort().map((name) => `${directory}/${name}`);
}

/** Name of an example's module, without extension; an example file keeps its own path. */
function moduleName(example: Example): string {
  return example.file.replace(/\.ts$/, "").replace(/\.md$/, `.md.${example.line}`);
}

function sourceOf(example: Example): string {
  return join(SOURCES, `${moduleName(example)}.${example.language}`);
}

/** Compiling could turn what this Node.js does not know into what it does; so JavaScript is not. */
function programOf(example: Example): string {
  return example.language === "js"
    ? sourceOf(example)
    : join(COMPILED, `${moduleName(example)}.js`);
}

/** Compiles all examples at once; prints what is wrong with them. */
function typeCheck(examples: readonly Example[]): boolean {
  rmSync(WORK, { recursive: true, force: true });
  for (const example of examples) {
    // As many empty lines in front as the document has, so that every line number that TypeScript
    // or a stack trace mentions is the document's.
    write(sourceOf(example), "\n".repeat(example.line - 1) + example.code);
  }
  write(join(WORK, "tsconfig.json"), JSON.stringify(EXAMPLES_TSCONFIG));
  const compiler = join("node_modules", "typescript", "bin", "tsc");
  const result = spawnSync(process.execPath, [compiler, "-p", WORK], { stdio: "inherit" });
  return result.status === 0;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Prints what an example wrote if it failed, or if `isShown`. */
function runTwice(example: Example, isShown: boolean): boolean {
  const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
  try {
    return ["first", "second"].every((time) => {
      const result = run(example, directory);
      const failure = failureOf(result);
      const where = `${example.file}:${example.line}`;
      if (failure) console.error(`${where} ${failure}, the ${time} time`);
      else if (isShown) console.log(`${where}, the ${time} time:`);
      if (failure || isShown) console.log(`${result.stdout}${result.stderr}`);
      return !failure;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(example: Example, directory: string): SpawnSyncReturns<string> {
  const program = join(process.cwd(), programOf(example));
  return spawnSync(process.execPath, ["--enable-source-maps", program], {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
}

function failureOf(result: SpawnSyncReturns<string>): string | undefined {
  if (result.error && "code" in result.error && result.error.code === "ETIMEDOUT") {
    return `was still running after ${RUN_TIMEOUT_MS} ms`;
  }
  if (result.error) return `could not be run: ${result.error.message}`;
  if (result.signal) return `was ended by ${result.signal}`;
  return result.status === 0 ? undefined : `exited with ${result.status}`;
}
