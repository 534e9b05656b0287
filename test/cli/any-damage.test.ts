import { cpSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileLength, flipBit } from "../support/damage.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(directory, name)).isFile() && !name.endsWith("LOCK"))
    .sort();
}

/** Every command that reads, and a salvage. */
function commandsFor(sample: string, file: string): string[][] {
  const key = sample === "store" ? ["--key", "orders"] : [];
  return [
    ["verify", sample],
    ["inspect", sample],
    ["inspect", sample, ...key, "--json"],
    ["cat", sample, ...key, "--from", "3"],
    ["dump", join(sample, file), "--records"],
    ["repair", "--dry-run", sample],
    ["repair", sample, "--salvage", "saved"],
    ...(sample === "store" ? [["offsets", sample]] : []),
  ];
}

describe.each(["events", "store"])("whatever is damaged in %s", (sample) => {
  it("every command answers in its own words", async () => {
    const cwd = await (sample === "store" ? withStore() : withLog());
    cpSync(join(cwd, sample), join(cwd, "sound"), { recursive: true });
    let turn = 0;
    for (const file of filesUnder(join(cwd, "sound"))) {
      const path = join(cwd, sample, file);
      const length = fileLength(path);
      for (let position = turn % 29; position < length; position += 61) {
        turn++;
        if (turn % 4 === 0) truncateSync(path, position);
        else flipBit(path, position, turn % 8);
        const commands = commandsFor(sample, file);
        // One command for each damage, in turn, and verify for all of them.
        for (const args of [commands[0]!, commands[turn % commands.length]!]) {
          const { code, err } = await seglog(cwd, args);
          const where = `${args.join(" ")} with ${file} damaged at ${position}: ${err}`;
          expect([0, 1, 2], where).toContain(code);
          expect(err, where).toMatch(/^(seglog: [^\n]*\n)*$/);
          expect(err, where).not.toMatch(/INTERNAL|ERR_|TypeError|NOT_A_STORE/);
        }
        rmSync(join(cwd, "saved"), { recursive: true, force: true });
        cpSync(join(cwd, "sound", file), path);
      }
    }
    expect(turn).toBeGreaterThan(20);
  });
});
