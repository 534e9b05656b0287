import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog, LogStore } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { endOf, seglog, start } from "./program.js";
import { withLog, withStore } from "./samples.js";

/** Waits for a log, which appears once the first line was read, to have records. */
async function whatIsThere(cwd: string, log: string): Promise<string> {
  for (;;) {
    const { out } = await seglog(cwd, ["cat", log]);
    if (out !== "") return out;
  }
}

describe("append", () => {
  it("makes a log, or a store with --key", async () => {
    const cwd = temporaryDirectory();
    const log = await seglog(cwd, ["append", "new"], "one\ntwo\n\nfour");
    expect(log).toMatchObject({ code: 0, err: "" });
    expect(log.out).toBe("appended 4 records (offsets 0 to 3) to new\n");
    const store = await seglog(cwd, ["append", "shop", "-k", "a/b"], "one\n");
    expect(store.out).toBe("appended 1 record (offset 0) to shop, key a/b\n");
    await using opened = await LogStore.open(join(cwd, "shop"), { readOnly: true });
    expect(opened.keys()).toEqual(["a/b"]);
  });

  it("keeps every byte of a line but its line feed", async () => {
    const cwd = temporaryDirectory();
    const lines = Buffer.from("carriage\r\n\u00e4\u{1f600}\n\x00\x1b\n\xff\n", "latin1");
    writeFileSync(join(cwd, "lines"), lines);
    const { out } = await seglog(cwd, ["append", "new", "lines", "--compression", "lz4"]);
    expect(out).toBe("appended 4 records (offsets 0 to 3) to new\n");
    const { bytes } = await seglog(cwd, ["cat", "new", "--raw"]);
    expect(bytes).toEqual(lines);
  });

  it("appends nothing from an empty input, yet makes the log", async () => {
    const cwd = temporaryDirectory();
    expect((await seglog(cwd, ["append", "new"])).out).toBe("appended nothing to new\n");
    await using log = await CommitLog.open(join(cwd, "new"), { readOnly: true });
    expect(log.endOffset).toBe(0);
  });

  it("streams a large input in order", async () => {
    const cwd = temporaryDirectory();
    const input = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join("");
    const args = ["append", "new", "-", "--durability", "os", "--segment-bytes", "500000"];
    const { out } = await seglog(cwd, args, input);
    expect(out).toBe("appended 200000 records (offsets 0 to 199999) to new\n");
    expect((await seglog(cwd, ["cat", "new"])).bytes.toString()).toBe(input);
  });

  it("appends a line when it is there, not when the input ends", async () => {
    const cwd = temporaryDirectory();
    const writer = start(cwd, ["append", "new"]);
    const written = endOf(writer);
    writer.stdin!.write("first\n");
    expect(await whatIsThere(cwd, "new")).toBe("first\n");
    const follower = start(cwd, ["cat", "new", "--follow", "--limit", "2"]);
    const chunks: Buffer[] = [];
    follower.stdout!.on("data", (chunk: Buffer) => chunks.push(chunk));
    const followed = endOf(follower);
    await new Promise((resolve) => follower.stdout!.once("data", resolve));
    writer.stdin!.write("second\n");
    expect(await followed).toBe(0);
    expect(Buffer.concat(chunks).toString()).toBe("first\nsecond\n");
    writer.stdin!.end();
    expect(await written).toBe(0);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("closes the log at %s, and says what it appended", async (signal, exitCode) => {
    const cwd = temporaryDirectory();
    const writer = start(cwd, ["append", "new"]);
    const written = endOf(writer);
    const chunks: Buffer[] = [];
    writer.stdout!.on("data", (chunk: Buffer) => chunks.push(chunk));
    writer.stdin!.write("first\nsecond\nnot ended");
    await whatIsThere(cwd, "new");
    writer.kill(signal);
    expect(await written).toBe(exitCode);
    expect(Buffer.concat(chunks).toString()).toBe("appended 2 records (offsets 0 to 1) to new\n");
    expect((await seglog(cwd, ["inspect", "new"])).out).toMatch(/state +closed cleanly/);
  });

  it("tells what it had appended when a line is too long", async () => {
    const cwd = temporaryDirectory();
    const input = `first\n${"x".repeat(17 * 1024 * 1024)}\nlast\n`;
    const { code, err } = await seglog(cwd, ["append", "new"], input);
    expect(code).toBe(2);
    expect(err).toMatch(/^seglog: appended 1 record \(offset 0\) before the failure\n/);
    expect(err).toMatch(/seglog: RECORD_TOO_LARGE: A line is longer than 16777216 bytes/);
  });

  it("wants a key for a store, none for a log, and refuses other directories", async () => {
    const [store, log] = [await withStore(), await withLog()];
    expect((await seglog(store, ["append", "store"], "x")).err).toMatch(/say which log with --key/);
    expect((await seglog(log, ["append", "events", "-k", "x"], "x")).err).toMatch(
      /leave --key out/,
    );
    expect((await seglog(log, ["append", "."], "x")).err).toMatch(/NOT_A_LOG: \. holds no log/);
    const inner = await seglog(store, ["append", "store/logs/orders"], "x");
    expect(inner.err).toMatch(/BELONGS_TO_STORE.*Give the store's directory and --key/);
    expect(inner.code).toBe(2);
  });
});
