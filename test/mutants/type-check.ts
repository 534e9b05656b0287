import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Mutant } from "./mutant.js";
import { plant } from "./plant.js";

/**
 * Compiles the sources with each bug in them: a bug that a compiler finds is none that a test would
 * have to find, and a text that does not parse would break every test.
 *
 * @returns What the compiler says, by the mutant's name, where it says something.
 */
export function typeErrors(root: string, mutants: readonly Mutant[]): Map<string, string> {
  const { options, fileNames } = readConfig(root);
  const host = ts.createCompilerHost(options);
  const parsed = new Map<string, ts.SourceFile | undefined>();
  const found = new Map<string, string>();
  let program: ts.Program | undefined;
  for (const round of rounds(mutants)) {
    const changed = new Map(
      round.map((mutant) => {
        const path = join(root, "src", mutant.file);
        const text = plant(readFileSync(path, "utf8"), mutant);
        return [path, { mutant, text }] as const;
      }),
    );
    host.getSourceFile = (path, version) => {
      const text = changed.get(path)?.text;
      if (text !== undefined) return ts.createSourceFile(path, text, version, true);
      if (!parsed.has(path)) {
        const onDisk = ts.sys.readFile(path);
        parsed.set(
          path,
          onDisk === undefined ? undefined : ts.createSourceFile(path, onDisk, version, true),
        );
      }
      return parsed.get(path);
    };
    program = ts.createProgram(fileNames, options, host, program);
    for (const [path, { mutant }] of changed) {
      const source = program.getSourceFile(path);
      const [first] = [
        ...program.getSyntacticDiagnostics(source),
        ...program.getSemanticDiagnostics(source),
      ];
      if (first === undefined) continue;
      found.set(mutant.name, ts.flattenDiagnosticMessageText(first.messageText, " "));
    }
  }
  return found;
}

function readConfig(root: string): ts.ParsedCommandLine {
  const path = join(root, "tsconfig.json");
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  // What a bug leaves out is often the last use of something.
  const unused = { noUnusedLocals: false, noUnusedParameters: false };
  return ts.parseJsonConfigFileContent(config, ts.sys, root, { ...unused, noEmit: true }, path);
}

/** Splits mutants so that no two of a round change the same file. */
function rounds(mutants: readonly Mutant[]): Mutant[][] {
  const result: Mutant[][] = [];
  const seen = new Map<string, number>();
  for (const mutant of mutants) {
    const round = seen.get(mutant.file) ?? 0;
    seen.set(mutant.file, round + 1);
    result[round] ??= [];
    result[round].push(mutant);
  }
  return result;
}
