import { relative, sep } from "node:path";
import type { Plugin } from "vitest/config";
import type { Mutant } from "./mutant.js";
import { plant } from "./plant.js";

/**
 * Plants one bug while Vitest loads the sources; no file on disk is changed, so that a run which is
 * killed leaves nothing behind.
 *
 * @param sources - The directory `src/`.
 * @param mark - A file that the changed module makes when it is evaluated: the proof that the tests
 *   ran with the bug. Default: none.
 */
export function planting(mutant: Mutant, sources: string, mark: string | undefined): Plugin {
  return {
    name: "seglog:planting",
    // Before the types are stripped: `find` is text of the source as it is on disk.
    enforce: "pre",
    transform(code, id) {
      const path = relative(sources, id.split("?")[0]!).split(sep).join("/");
      if (path !== mutant.file) return undefined;
      const leaveMark =
        mark === undefined
          ? ""
          : `process.getBuiltinModule("node:fs").writeFileSync(${JSON.stringify(mark)}, "");\n`;
      return { code: `${plant(code, mutant)}\n${leaveMark}`, map: null };
    },
  };
}
