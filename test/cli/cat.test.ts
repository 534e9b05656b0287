import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { describe, expect, it, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { CommitLog } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { endOf, seglog, start } from "./program.js";
import { EVIL, NOON, withLog, withStore } from "./samples.js";

describe("cat", () => {
  it("prints a range", async () => {
    const cwd = await withLog();
    const dots = ".".repeat(30);
    const run = (...args: string[]) => seglog(cwd, ["cat", "events", ...args]);
    const { out } = await run("--from", "18", "--to", "21");
    expect(out).toBe(`event 18 ${dots}\nevent 19 ${dots}\nevent 20 ${dots}\n`);
    expect((await run("-n", "1")).out).toBe(`event 0 ${dots}\n`);
    expect((await run("--from", "60")).out).toBe("");
    expect((await run("--limit", "0")).out).toBe("");
    expect((await run()).out.split("\n")).toHaveLength(61);
    const beyond = await run("--from", "61");
    expect(beyond).toMatchObject({ code: 2, out: "" });
    expect(beyond.err).toBe(
      "seglog: OFFSET_OUT_OF_RANGE: Offset 61 is outside of the log, which holds [0, 60).\n",
    );
  });

  it("shows the same records in four formats", async () => {
    const cwd = temporaryDirectory();
    const log = await CommitLog.open(join(cwd, "events"));
    await log.append({ value: `a${EVIL}`, key: new Uint8Array([0xff]), timestamp: NOON });
    const headers = [["trace\n", "1"] as const, ["bin", new Uint8Array([0x80])] as const];
    await log.append({ value: new Uint8Array([0x00, 0xc3]), headers, timestamp: NOON });
    await log.close();
    const run = async (format: string) =>
      (await seglog(cwd, ["cat", "events", "--format", format])).bytes;
    expect((await run("text")).toString()).toBe(
      "a\\x1b[31mred\\u{202e}\\u{200b}\\x7f\\u{85}\n\\x00\\xc3\n",
    );
    expect((await run("hex")).toString()).toBe(
      `0 ${Buffer.from(`a${EVIL}`).toString("hex")}\n1 00c3\n`,
    );
    expect(await run("raw")).toEqual(Buffer.from([...Buffer.from(`a${EVIL}\n`), 0, 0xc3, 0x0a]));
    const json = (await run("json")).toString();
    expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(
      json
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { offset: 0, timestamp: NOON, keyBase64: "/w==", value: `a${EVIL}` },
      {
        offset: 1,
        timestamp: NOON,
        headers: [
          { name: "trace\n", value: "1" },
          { name: "bin", valueBase64: "gA==" },
        ],
        valueBase64: "AMM=",
      },
    ]);
  });

  it("reads a key of a store", async () => {
    const cwd = await withStore();
    expect((await seglog(cwd, ["cat", "store", "-k", "päyments", "-n", "2"])).out).toBe(
      "päyments 0\npäyments 1\n",
    );
    const evil = await seglog(cwd, ["cat", "store", "-k", `no${EVIL}`]);
    expect(evil.err).toBe(
      'seglog: KEY_NOT_FOUND: store has no key "no\\u001b[31mred\\u{202e}\\u{200b}\\x7f\\u{85}". ' +
        "seglog inspect store lists its keys.\n",
    );
    expect((await seglog(cwd, ["cat", "store"])).err).toMatch(/USAGE: store is a store: say which/);
  });

  it("ends quietly when its reader goes away", async () => {
    const cwd = temporaryDirectory();
    const input = Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join("");
    await seglog(cwd, ["append", "events", "--durability", "os"], input);
    const child = start(cwd, ["cat", "events"]);
    const ended = endOf(child);
    let err = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      err += chunk;
    });
    const first = await new Promise<Buffer>((resolve) => child.stdout!.once("data", resolve));
    child.stdout!.destroy();
    expect(first.toString()).toMatch(/^line 0\nline 1\n/);
    expect(await ended).toBe(0);
    expect(err).toBe("");
  });

  it("follows a key that is made later, and tells that it waits", async () => {
    const cwd = await withStore();
    const following = seglog(cwd, ["cat", "store", "-k", "later", "--follow", "-n", "1"]);
    await seglog(cwd, ["append", "store", "-k", "later"], "first\nsecond\n");
    const { code, out, err } = await following;
    expect([code, out]).toEqual([0, "first\n"]);
    expect(err).toBe('seglog: store has no key "later" yet: waiting for it to be made\n');
  });

  it("ends by Ctrl-C while it waits for a key", async () => {
    const cwd = await withStore();
    const child = start(cwd, ["cat", "store", "-k", "never", "--follow"]);
    const ended = endOf(child);
    await new Promise((resolve) => child.stderr!.once("data", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
  });

  it("follows until Ctrl-C, which is exit code 130", async () => {
    const cwd = await withLog();
    const child = start(cwd, ["cat", "events", "--follow", "--from", "59"]);
    const ended = endOf(child);
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
  });
});

test("a full disk behind the output is told with its code", async () => {
  const stdout = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: "ENOSPC" })),
  });
  const told: string[] = [];
  const stderr = new Writable({
    write: (chunk, _encoding, done) => done(void told.push(String(chunk))),
  });
  const args = ["cat", join(await withLog(), "events")];
  expect(await run(args, { stdin: Readable.from([]), stdout, stderr })).toBe(2);
  expect(told.join("")).toMatch(/^seglog: NO_SPACE: Cannot write to standard output: ENOSPC\. /);
});
