import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog } from "../../src/index.js";
import { seglog } from "../cli/program.js";
import { EVIL, withStore } from "../cli/samples.js";
import { flipBit } from "../support/damage.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const UNSAFE = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** A second line, if it were printed as it is. */
const NAME = `${EVIL}\nseglog: all is well`;

async function expectOneSafeLine(cwd: string, args: readonly string[], code: number) {
  const run = await seglog(cwd, args);
  expect(run.code, run.err).toBe(code);
  for (const text of [run.out, run.err]) expect(text).not.toMatch(UNSAFE);
  expect(run.err).toMatch(/^seglog: [^\n]+\n$/);
  return run.err;
}

describe("a message about what a user named", () => {
  it.each<[string, string[]]>([
    ["a directory that is not there", ["cat", NAME]],
    ["a key that is not there", ["cat", "store", "--key", NAME]],
    ["a key that no log can have", ["cat", "store", "--key", `${EVIL}${"K".repeat(300)}`]],
    ["a file that is not there", ["dump", NAME]],
    ["an input that is not there", ["append", "log", NAME]],
    ["a command that is none", [NAME]],
    ["an option that is none", ["cat", `--${NAME}`]],
    ["a value that is no number", ["cat", "store", "--from", NAME]],
    ["a choice that is none", ["cat", "store", "--format", NAME]],
    ["too many arguments", ["verify", "store", NAME]],
  ])("is one line, and escaped: %s", async (_what, args) => {
    const err = await expectOneSafeLine(await withStore(), args, 2);
    expect(err).not.toContain("INTERNAL");
  });

  it("is so of files that belong to nobody, and of damage", async () => {
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, NAME));
    writeFileSync(join(cwd, NAME, NAME), "");
    await expectOneSafeLine(cwd, ["append", NAME], 2);
    await expectOneSafeLine(cwd, ["verify", NAME], 2);
    const log = await CommitLog.open(join(cwd, `log ${NAME}`), { durability: "os" });
    await log.append(EVIL);
    await log.close();
    flipBit(join(cwd, `log ${NAME}`, "log.meta"), 60);
    await expectOneSafeLine(cwd, ["append", `log ${NAME}`], 2);
    const { err, out } = await seglog(cwd, ["verify", `log ${NAME}`]);
    expect(err + out).not.toMatch(UNSAFE);
  });

  it("is raw in the library, whose caller knows where it goes", async () => {
    const directory = join(temporaryDirectory(), `none ${EVIL}`);
    await expect(CommitLog.open(directory, { readOnly: true })).rejects.toMatchObject({
      code: "NOT_A_LOG",
      message: expect.stringContaining(directory),
    });
  });
});
