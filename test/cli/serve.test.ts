import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { LogStore } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { endOf, seglog, start } from "./program.js";

/** Starts a server, whose first line says where it is. */
async function serve(cwd: string, args: readonly string[] = []) {
  const child = start(cwd, ["serve", "store", "--listen", "127.0.0.1:0", ...args]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, "line")) as [string];
  const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
  return { child, url: url! };
}

async function append(url: string): Promise<unknown> {
  const response = await fetch(`${url}/seglog.v1.LogService/Append`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key: "k", records: [{ value: "YQ==" }] }),
  });
  return response.json();
}

async function endedBy(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const end = endOf(child);
  child.kill(signal);
  return end;
}

describe("serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "serves until %s, and leaves all in order",
    async (signal) => {
      const cwd = temporaryDirectory();
      const { child, url } = await serve(cwd, [
        "--durability",
        "os",
        "--limit",
        "maxConnections=9",
      ]);
      expect(await append(url)).toEqual({ baseOffset: "0", lastOffset: "0" });
      expect(await append(url)).toEqual({ baseOffset: "1", lastOffset: "1" });
      expect(await endedBy(child, signal)).toBe(0);
      await using store = await LogStore.open(`${cwd}/store`);
      expect((await store.log("k")).endOffset).toBe(2);
      expect((await store.log("k")).recovery).toMatchObject({ kind: "clean" });
    },
  );

  it("has the lock, and other commands work beside it", async () => {
    const cwd = temporaryDirectory();
    const { child, url } = await serve(cwd);
    await append(url);
    const second = await seglog(cwd, ["serve", "store", "--listen", "127.0.0.1:0"]);
    expect([second.code, second.err]).toEqual([2, expect.stringMatching(/^seglog: LOCKED: /)]);
    expect((await seglog(cwd, ["cat", "store", "--key", "k"])).out).toBe("a\n");
    expect(await endedBy(child, "SIGTERM")).toBe(0);
  });

  it("reads its tokens again at SIGHUP", async () => {
    const cwd = temporaryDirectory();
    const write = (text: string) => writeFileSync(`${cwd}/tokens`, text, { mode: 0o600 });
    write('{ "tokens": [] }');
    const { child, url } = await serve(cwd, ["--tokens", "tokens"]);
    expect(await append(url)).toMatchObject({ code: "unauthenticated" });
    write("nonsense");
    child.kill("SIGHUP");
    for await (const line of createInterface({ input: child.stderr! })) {
      const { error } = JSON.parse(line) as { error?: string };
      if (error === undefined) continue;
      expect(error).toMatch(/tokens is no file of tokens/);
      break;
    }
    expect(await endedBy(child, "SIGTERM")).toBe(0);
  });

  it("says that its port is taken", async () => {
    const cwd = temporaryDirectory();
    const { url } = await serve(cwd);
    const { code, err } = await seglog(cwd, ["serve", "other", "--listen", new URL(url).host]);
    expect([code, err]).toEqual([2, expect.stringMatching(/IO_ERROR: .*EADDRINUSE/)]);
  });
});
