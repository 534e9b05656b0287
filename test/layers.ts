import { isBuiltin } from "node:module";
import { posix } from "node:path";
import ts from "typescript";

/** From the bottom up. A file imports from its own layer and from those below it. */
const LAYERS = [
  "errors",
  "format",
  "option-checks",
  "files",
  "segment",
  "log",
  "store",
  "index",
  "wire",
];

/**
 * The folders of the layer `log`, likewise from the bottom up. The files beside them are what all of
 * them know, and the log itself, which knows them all.
 */
const PARTS_OF_LOG = [
  "memory",
  "directory",
  "recovery",
  "read",
  "queue",
  "tail",
  "follow",
  "producers",
  "journal",
  "write",
  "inspect",
];

/** Doors on top of the layers, beside each other. Programs may go through them. */
const DOORS = ["client", "server"];

/** Programs on top of everything. Nobody imports them, and they never import each other. */
const LEAVES = ["cli", "maelstrom"];

/** The one file of a program that may open plain files; see `node:fs` below. */
const CLI_INPUT = "cli/input.ts";

/** The one file of the server that reads what an operator gives it: certificates and tokens. */
const SERVER_SECRETS = "server/secret-files.ts";

/**
 * Which places may import a package: a layer, a leaf or one file. A package that is not here may
 * not be imported at all, so that each new dependency is a decision.
 */
const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  // All disk access goes through files/, where the fault tests replace it. The exceptions are
  // what is not part of a log: `seglog append` streams its records from a file that a user names,
  // and a server is given certificates and tokens in files.
  "node:fs": ["files", CLI_INPUT],
  "node:fs/promises": ["files", SERVER_SECRETS],
  "fs-extra": ["files"],
  "fs-native-extensions": ["files"],
  "graceful-fs": ["files"],

  "crc-32": ["format"],
  "lz4-napi": ["format"],
  "node:zlib": ["format"],

  "@bufbuild/protobuf": ["wire", "client", "server"],
  "@connectrpc/connect": ["wire", "client", "server"],
  "@connectrpc/connect-node": ["client", "server"],
  pino: ["server"],
  "prom-client": ["server"],

  "cli-progress": ["cli"],
  "cli-table3": ["cli"],
  commander: ["cli"],
};

/** format/ does no I/O: of Node's own modules it gets only those that compute. */
const BUILTINS_OF_FORMAT = ["node:buffer", "node:crypto", "node:util", "node:zlib"];

/** One import, in whichever form it was written. */
export interface FoundImport {
  /** What stands between the quotes; undefined where it is computed when the program runs. */
  readonly specifier: string | undefined;
  readonly line: number;
}

/**
 * Finds everything in `source` that loads or names another module: `import`, `import type`,
 * `export … from`, `import()`, `import("…").Type`, `import x = require()`, `require()`,
 * `process.getBuiltinModule()` and `/// <reference path>`.
 */
export function findImports(fileName: string, source: string): FoundImport[] {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest, true);
  const found: FoundImport[] = [];
  const add = (specifier: string | undefined, position: number) => {
    const line = file.getLineAndCharacterOfPosition(position).line + 1;
    found.push({ specifier, line });
  };
  for (const reference of file.referencedFiles) {
    const path = reference.fileName;
    add(path.startsWith(".") ? path : `./${path}`, reference.pos);
  }
  const visit = (node: ts.Node): void => {
    const module = importedModule(node);
    if (module) add(ts.isStringLiteralLike(module) ? module.text : undefined, node.getStart(file));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function importedModule(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
  }
  if (ts.isCallExpression(node) && loadsModule(node.expression)) return node.arguments[0];
  return undefined;
}

function loadsModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(callee)) return callee.text === "require";
  return ts.isPropertyAccessExpression(callee) && callee.name.text === "getBuiltinModule";
}

/**
 * Checks the imports of a source tree against the layers.
 *
 * @param files - source text by path, the path relative to `src/` with forward slashes
 * @returns one sentence for each violation, none if the tree is in order
 */
export function checkLayers(files: ReadonlyMap<string, string>): string[] {
  const violations: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, source] of files) {
    const targets: string[] = [];
    graph.set(path, targets);
    if (!isKnownPlace(placeOf(path))) violations.push(`${path} belongs to no layer`);
    for (const { specifier, line } of findImports(path, source)) {
      const target = specifier?.startsWith(".") ? resolve(path, specifier) : undefined;
      if (target !== undefined && files.has(target)) targets.push(target);
      const reason =
        specifier === undefined
          ? "an import that is computed cannot be checked"
          : target === undefined
            ? judgePackage(path, specifier)
            : judgeFile(path, target, files);
      if (reason) violations.push(`${path}:${line} imports ${specifier ?? "something"}: ${reason}`);
    }
  }
  return [...violations, ...findCycles(graph).map((cycle) => `cycle: ${cycle.join(" -> ")}`)];
}

/** The layer or leaf of a file: its first folder, or its own name if it stands at the top. */
function placeOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.ts$/, "");
}

function isKnownPlace(place: string): boolean {
  return [LAYERS, DOORS, LEAVES].some((places) => places.includes(place));
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}

function judgeFile(
  from: string,
  target: string,
  files: ReadonlyMap<string, string>,
): string | undefined {
  const here = placeOf(from);
  const there = placeOf(target);
  if (here === "errors") return "errors.ts imports nothing";
  // Both programs print the version, which stands only there.
  if (target === "../package.json" && LEAVES.includes(here)) return undefined;
  if (target.startsWith("../")) return "it is outside src";
  if (!files.has(target)) return "there is no such file";
  if (here === there) return here === "log" ? judgePartOfLog(from, target) : undefined;
  if (LEAVES.includes(there)) return `nobody imports ${there}`;
  if (LEAVES.includes(here)) return undefined;
  if (DOORS.includes(there)) return `only programs import ${there}`;
  if (DOORS.includes(here)) return undefined;
  return LAYERS.indexOf(there) < LAYERS.indexOf(here) ? undefined : `${there} is above ${here}`;
}

function judgePartOfLog(from: string, target: string): string | undefined {
  const [here, there] = [partOfLog(from), partOfLog(target)];
  if (here === undefined || there === undefined) return undefined;
  const unknown = [here, there].find((part) => !PARTS_OF_LOG.includes(part));
  if (unknown !== undefined) return `log/${unknown} is no part of log`;
  const isBelow = PARTS_OF_LOG.indexOf(there) <= PARTS_OF_LOG.indexOf(here);
  return isBelow ? undefined : `log/${there} is above log/${here}`;
}

/** The folder of a file of the layer `log`; `undefined` for one that is in none. */
function partOfLog(path: string): string | undefined {
  const folders = path.split("/").slice(1, -1);
  return folders.length === 0 ? undefined : folders.join("/");
}

function judgePackage(from: string, specifier: string): string | undefined {
  const here = placeOf(from);
  if (here === "errors") return "errors.ts imports nothing";
  const name = packageName(specifier);
  const users = PACKAGE_USERS[name];
  if (users && !users.includes(here) && !users.includes(from)) {
    return `only ${users.join(" and ")} may`;
  }
  if (!name.startsWith("node:")) return users ? undefined : "it is not on the list of packages";
  if (here === "format" && !BUILTINS_OF_FORMAT.includes(name)) return "format does no I/O";
  return undefined;
}

/** `fs/promises` -> `node:fs/promises`, `fs-extra/esm` -> `fs-extra`, `@a/b/c` -> `@a/b`. */
function packageName(specifier: string): string {
  if (isBuiltin(specifier)) return `node:${specifier.replace(/^node:/, "")}`;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** At least one cycle of every knot of files that reach themselves; the first file closes it. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || finished.has(file)) return;
    path.push(file);
    for (const target of new Set(graph.get(file))) visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}
