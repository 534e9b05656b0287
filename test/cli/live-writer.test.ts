import { spawn } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { endOf, seglog } from "./program.js";

const LIBRARY = new URL("../../dist/index.js", import.meta.url);

/** Appends and rolls without a pause, perhaps deletes and truncates too; tells each round. */
const WRITER = `
  const { CommitLog } = await import(${JSON.stringify(LIBRARY.href)});
  const log = await CommitLog.open("events", { segmentBytes: 20000, durability: "os" });
  const cuts = process.argv.includes("cuts");
  for (let round = 0; ; round++) {
    for (let batch = 0; batch < 20; batch++) {
      await log.appendBatch(Array.from({ length: 30 }, (_, index) => "round " + round + " " + index));
    }
    if (cuts && round % 3 === 2) await log.deleteBefore(Math.max(log.endOffset - 2000, 0));
    if (cuts && round % 50 === 49) await log.truncateTo(log.endOffset - 10);
    process.stdout.write(log.endOffset + "\\n");
  }`;

/** Starts the writer in `cwd` and waits until it has written something. */
async function startWriter(cwd: string, mode: "cuts" | "only appends") {
  const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, mode], { cwd });
  onTestFinished(() => void writer.kill("SIGKILL"));
  const ended = endOf(writer);
  await new Promise((resolve) => writer.stdout.once("data", resolve));
  writer.stdout.resume();
  return { writer, ended };
}

describe("beside a living writer", () => {
  it("everything that reads works, and nothing looks like damage", async () => {
    const cwd = temporaryDirectory();
    const { writer } = await startWriter(cwd, "cuts");
    for (let round = 0; round < 12; round++) {
      const { code, out, err } = await seglog(cwd, ["verify", "events"]);
      // A scan under which the log never stops being cut may give up, and says so.
      if (code === 2) expect(err).toMatch(/LOG_TRUNCATED.*Try again/);
      else expect(out).toMatch(/open for writing in another process\nsound\n$/);
    }
    const inspected = await seglog(cwd, ["inspect", "events"]);
    expect(inspected.out).toMatch(/\n {2}state {4}open for writing\n/);
    const locked = await seglog(cwd, ["append", "events"], "x");
    expect(locked.err).toMatch(/LOCKED: events is open for writing in process <pid>/);
    writer.kill("SIGKILL");
  });

  it("cat follows it without a gap", async () => {
    const cwd = temporaryDirectory();
    const { writer } = await startWriter(cwd, "only appends");
    const args = ["cat", "events", "--follow", "--limit", "20000", "--format", "hex"];
    const { code, out } = await seglog(cwd, args);
    expect(code).toBe(0);
    const offsets = out
      .trimEnd()
      .split("\n")
      .map((line) => Number.parseInt(line, 10));
    expect(offsets).toEqual(Array.from({ length: 20_000 }, (_, offset) => offset));
    writer.kill("SIGKILL");
  });

  it("is followed by a log that a kill left, which is sound and can be repaired", async () => {
    const cwd = temporaryDirectory();
    const { writer, ended } = await startWriter(cwd, "cuts");
    writer.kill("SIGKILL");
    await ended;
    const verified = await seglog(cwd, ["verify", "events"]);
    expect(verified.code).toBe(0);
    const plan = await seglog(cwd, ["repair", "events", "--dry-run"]);
    expect(plan.out).toMatch(/^would recover the log: /);
    expect((await seglog(cwd, ["repair", "events"])).out).toMatch(
      /^events: recovered up to offset/,
    );
    expect((await seglog(cwd, ["repair", "events"])).out).toBe("events: nothing to repair\n");
    const again = await seglog(cwd, ["verify", "events"]);
    expect(again.out).toMatch(/\nsound\n$/);
  });
});
