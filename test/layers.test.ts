import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkLayers, findImports } from "./layers.js";

const src = new URL("../src/", import.meta.url);

function readSources(): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(src, { recursive: true, encoding: "utf8" })) {
    const path = name.replaceAll("\\", "/");
    if (path.endsWith(".ts")) files.set(path, readFileSync(new URL(path, src), "utf8"));
  }
  return files;
}

describe("src", () => {
  it("follows the layers", () => {
    const files = readSources();
    expect(files.size).toBeGreaterThan(0);
    expect(checkLayers(files)).toEqual([]);
  });
});

describe("findImports", () => {
  it.each([
    ["a static import", `import { a } from "./a.js";`],
    ["an import for its effects", `import "./a.js";`],
    ["a type-only import", `import type { A } from "./a.js";`],
    ["an inline type-only import", `import { type A } from "./a.js";`],
    ["an export from", `export { a } from "./a.js";`],
    ["an export of everything", `export * from "./a.js";`],
    ["an export of everything under a name", `export * as all from "./a.js";`],
    ["a type-only export", `export type { A } from "./a.js";`],
    ["a dynamic import", `const a = await import("./a.js");`],
    ["a dynamic import of a plain template", "const a = await import(`./a.js`);"],
    ["a dynamic import deep inside", `function f() { return () => [import("./a.js")]; }`],
    ["an import in a type", `let a: import("./a.js").A;`],
    ["a typeof import", `let a: typeof import("./a.js");`],
    ["an import assignment", `import a = require("./a.js");`],
    ["a require", `const a = require("./a.js");`],
    ["a builtin by name", `const a = process.getBuiltinModule("./a.js");`],
    ["a reference", `/// <reference path="./a.js" />`],
  ])("finds %s", (_, source) => {
    expect(findImports("x.ts", source)).toEqual([{ specifier: "./a.js", line: 1 }]);
  });

  it("finds an import that is computed", () => {
    expect(findImports("x.ts", "\nimport(name);")).toEqual([{ specifier: undefined, line: 2 }]);
  });

  it.each([
    ["a comment", `// import "./a.js"`],
    ["a string", `const text = 'import "./a.js"';`],
    ["an export of its own", "export { a }; const a = 1;"],
    ["import.meta", "import.meta.url;"],
  ])("is not taken in by %s", (_, source) => {
    expect(findImports("x.ts", source)).toEqual([]);
  });
});

type Tree = Readonly<Record<string, string>>;

function check(tree: Tree): string[] {
  return checkLayers(new Map(Object.entries(tree)));
}

/** A tree in which each file of `imports` imports one other thing, and all of them exist. */
function tree(imports: Tree): Tree {
  const files: Record<string, string> = {
    "errors.ts": "",
    "format/block.ts": "",
    "files/handle.ts": "",
    "segment/segment.ts": "",
    "log/commit-log.ts": "",
    "log/read/log-reader.ts": "",
    "log/write/log-writer.ts": "",
    "store/log-store.ts": "",
    "index.ts": "",
    "wire/status.ts": "",
    "client/connect.ts": "",
    "server/serve.ts": "",
    "server/secret-files.ts": "",
    "cli/main.ts": "",
    "cli/input.ts": "",
    "maelstrom/main.ts": "",
  };
  for (const [file, specifier] of Object.entries(imports)) files[file] = `import "${specifier}";`;
  return files;
}

describe("checkLayers", () => {
  it.each<[string, Tree]>([
    ["an empty tree", {}],
    [
      "each layer on the one below it",
      {
        "format/block.ts": "../errors.js",
        "files/handle.ts": "../format/block.js",
        "segment/segment.ts": "../files/handle.js",
        "log/commit-log.ts": "../segment/segment.js",
        "store/log-store.ts": "../log/commit-log.js",
        "index.ts": "./store/log-store.js",
        "wire/status.ts": "../store/log-store.js",
        "client/connect.ts": "../wire/status.js",
        "server/serve.ts": "../wire/status.js",
        "cli/main.ts": "../index.js",
        "maelstrom/main.ts": "../index.js",
      },
    ],
    ["a layer far below", { "store/log-store.ts": "../errors.js" }],
    ["a program on an inner layer", { "cli/main.ts": "../segment/segment.js" }],
    ["a program through a door", { "cli/main.ts": "../server/serve.js" }],
    ["a door on an inner layer", { "client/connect.ts": "../log/commit-log.js" }],
    ["secrets of the server", { "server/secret-files.ts": "node:fs/promises" }],
    ["the same layer", { "log/reader.ts": "./commit-log.js" }],
    ["a part of the log below", { "log/write/log-writer.ts": "../read/log-reader.js" }],
    ["the same part of the log", { "log/write/other.ts": "./log-writer.js" }],
    ["the log on its parts", { "log/commit-log.ts": "./write/log-writer.js" }],
    ["a part on what all parts know", { "log/read/log-reader.ts": "../commit-log.js" }],
    ["the same program", { "cli/main.ts": "./input.js" }],
    ["the version, from a program", { "cli/main.ts": "../../package.json" }],
    ["fs in files", { "files/handle.ts": "node:fs" }],
    ["fs/promises in files", { "files/handle.ts": "node:fs/promises" }],
    ["fs-extra's ESM door in files", { "files/handle.ts": "fs-extra/esm" }],
    ["the lock in files", { "files/handle.ts": "fs-native-extensions" }],
    ["fs in the one file of the command line", { "cli/input.ts": "node:fs" }],
    ["checksums in format", { "format/block.ts": "crc-32" }],
    ["zlib in format", { "format/block.ts": "node:zlib" }],
    ["commander in the command line", { "cli/main.ts": "commander" }],
    ["a builtin without files", { "log/commit-log.ts": "node:path" }],
  ])("allows %s", (_, imports) => {
    expect(check(tree(imports))).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    ["a layer above", "format/block.ts", "../log/commit-log.js", "log is above format"],
    ["the layer just above", "files/handle.ts", "../segment/segment.js", "segment is above files"],
    [
      "a part of the log above",
      "log/read/log-reader.ts",
      "../write/log-writer.js",
      "log/write is above log/read",
    ],
    ["a part that is none", "log/new/a.ts", "../read/log-reader.js", "log/new is no part of log"],
    ["index from a layer", "store/log-store.ts", "../index.js", "index is above store"],
    ["a program from a layer", "store/log-store.ts", "../cli/main.js", "nobody imports cli"],
    ["a program from index", "index.ts", "./maelstrom/main.js", "nobody imports maelstrom"],
    ["the other door", "client/connect.ts", "../server/serve.js", "only programs import server"],
    [
      "a door from a layer",
      "wire/status.ts",
      "../client/connect.js",
      "only programs import client",
    ],
    ["the wire from index", "index.ts", "./wire/status.js", "wire is above index"],
    ["fs elsewhere in the server", "server/serve.ts", "node:fs/promises", "only files and server/"],
    [
      "RPC in store",
      "store/log-store.ts",
      "@connectrpc/connect",
      "only wire and client and server",
    ],
    ["metrics in the client", "client/connect.ts", "prom-client", "only server may"],
    ["the other program", "cli/main.ts", "../maelstrom/main.js", "nobody imports maelstrom"],
    ["the other program back", "maelstrom/main.ts", "../cli/main.js", "nobody imports cli"],
    ["a file from errors", "errors.ts", "./format/block.js", "errors.ts imports nothing"],
    ["a builtin from errors", "errors.ts", "node:util", "errors.ts imports nothing"],
    ["fs in log", "log/commit-log.ts", "node:fs", "only files and cli/input.ts may"],
    ["fs by its old name", "log/commit-log.ts", "fs", "only files and cli/input.ts may"],
    ["fs in format", "format/block.ts", "node:fs", "only files and cli/input.ts may"],
    ["fs elsewhere in a program", "cli/main.ts", "node:fs", "only files and cli/input.ts may"],
    [
      "fs/promises in the input",
      "cli/input.ts",
      "node:fs/promises",
      "only files and server/secret-files.ts may",
    ],
    [
      "fs/promises by its old name",
      "store/log-store.ts",
      "fs/promises",
      "only files and server/secret-files.ts may",
    ],
    ["fs-extra in a program", "maelstrom/main.ts", "fs-extra", "only files may"],
    ["graceful-fs in segment", "segment/segment.ts", "graceful-fs", "only files may"],
    ["the lock in store", "store/log-store.ts", "fs-native-extensions", "only files may"],
    ["network in format", "format/block.ts", "node:net", "format does no I/O"],
    ["streams in format", "format/block.ts", "stream", "format does no I/O"],
    ["LZ4 in segment", "segment/segment.ts", "lz4-napi", "only format may"],
    ["checksums in files", "files/handle.ts", "crc-32", "only format may"],
    ["zlib in a program", "cli/main.ts", "zlib", "only format may"],
    ["commander in maelstrom", "maelstrom/main.ts", "commander", "only cli may"],
    ["tables in log", "log/commit-log.ts", "cli-table3", "only cli may"],
    ["progress in index", "index.ts", "cli-progress", "only cli may"],
    ["a package nobody decided on", "cli/main.ts", "@some/thing/deep", "not on the list"],
    ["the package itself", "cli/main.ts", "seglog", "not on the list"],
    ["the tests", "log/commit-log.ts", "../../test/layers.js", "outside src"],
    ["the manifest, from a layer", "log/commit-log.ts", "../../package.json", "outside src"],
    ["a file that is not there", "log/commit-log.ts", "./gone.js", "no such file"],
  ])("refuses %s", (_, file, specifier, reason) => {
    const violations = check(tree({ [file]: specifier }));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(`${file}:1 imports ${specifier}: `);
    expect(violations[0]).toContain(reason);
  });

  it("refuses what it cannot place or cannot follow", () => {
    expect(check({ "utils/misc.ts": "", "extra.ts": "" })).toEqual([
      "utils/misc.ts belongs to no layer",
      "extra.ts belongs to no layer",
    ]);
    expect(check({ "log/a.ts": "import(name)" })[0]).toContain("computed");
  });

  it("judges a type-only import like any other", () => {
    const files = { "files/a.ts": "", "format/a.ts": `import type { A } from "../files/a.js";` };
    expect(check(files)).toEqual(["format/a.ts:1 imports ../files/a.js: files is above format"]);
  });

  it("refuses cycles inside a layer", () => {
    expect(
      check({
        "log/a.ts": `import "./b.js";`,
        "log/b.ts": `export * from "./c.js";`,
        "log/c.ts": `import type { A } from "./a.js";`,
        "log/d.ts": `import "./a.js"; import "./d.js";`,
      }),
    ).toEqual([
      "cycle: log/a.ts -> log/b.ts -> log/c.ts -> log/a.ts",
      "cycle: log/d.ts -> log/d.ts",
    ]);
  });

  it("does not take a diamond for a cycle", () => {
    expect(
      check({
        "log/a.ts": `import "./b.js"; import "./c.js";`,
        "log/b.ts": `import "./d.js";`,
        "log/c.ts": `import "./d.js";`,
        "log/d.ts": "",
      }),
    ).toEqual([]);
  });
});
