import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { CommitLog, LogStore } from "../../src/index.js";
import { newPath } from "../support/temporary-directory.js";

const DIST = new URL("../../dist/index.js", import.meta.url).href;

const OPENERS = { "a log": CommitLog, "a store": LogStore } as const;

describe.each(Object.entries(OPENERS))("of ten who open %s at once", (_what, opener) => {
  it.each(["new", "old"])("one wins, and the others are told who (a %s one)", async (age) => {
    const directory = newPath();
    if (age === "old") await (await opener.open(directory)).close();
    const attempts = Array.from({ length: 10 }, () => opener.open(directory));
    const outcomes = await Promise.allSettled(attempts);
    const winners = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      expect(outcome.reason).toBeInstanceOf(SeglogError);
      expect(outcome.reason).toMatchObject({ code: "LOCKED" });
      expect(outcome.reason.message).toContain(`process ${process.pid}.`);
    }
    await winners[0]!.value.close();
    await (await opener.open(directory)).close();
  });
});

/** Opens a log when it is told to, says what came of it, and stays. */
const RACER = `
  const { CommitLog } = await import(${JSON.stringify(DIST)});
  const tell = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
  tell("ready");
  process.stdin.once("data", async () => {
    try {
      globalThis.log = await CommitLog.open(process.argv[1]);
      tell(["won", await globalThis.log.append("by " + process.pid)]);
    } catch (error) {
      tell([error.code, error.message]);
    }
  });
`;

class Racer {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(directory: string) {
    const args = ["--input-type=module", "-e", RACER, directory];
    this.child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void this.child.kill("SIGKILL"));
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : JSON.parse(value);
  }

  start(): void {
    this.child.stdin!.write("\n");
  }
}

describe("of processes that open a log at once", () => {
  it("one wins; when it is killed another takes over, and has its records", async () => {
    const directory = newPath();
    const racers = Array.from({ length: 4 }, () => new Racer(directory));
    for (const racer of racers) expect(await racer.line()).toBe("ready");
    for (const racer of racers) racer.start();
    const answers = await Promise.all(
      racers.map(async (racer) => ({ racer, answer: (await racer.line()) as [string, unknown] })),
    );
    const [winner, ...more] = answers.filter(({ answer }) => answer[0] === "won");
    expect(more).toEqual([]);
    const { pid } = winner!.racer.child;
    for (const { answer } of answers) {
      if (answer[0] === "won") continue;
      expect(answer).toEqual(["LOCKED", expect.stringContaining(`process ${pid}.`)]);
    }
    const message = expect.stringContaining(`process ${pid}.`);
    await expect(CommitLog.open(directory)).rejects.toMatchObject({ code: "LOCKED", message });
    const ended = once(winner!.racer.child, "exit");
    winner!.racer.child.kill("SIGKILL");
    await ended;
    await using log = await CommitLog.open(directory);
    expect(log.recovery.kind).toBe("unclean");
    expect(Buffer.from(log.readSync(0).value).toString()).toBe(`by ${pid}`);
  });
});
