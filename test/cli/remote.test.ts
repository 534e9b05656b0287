import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { serve } from "seglog/server";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { seglog } from "./program.js";
import { withStore } from "./samples.js";

/** A server of the sample store. */
async function serveStore(options: object = {}): Promise<{ cwd: string; url: string }> {
  const cwd = await withStore();
  const server = await serve({ directory: join(cwd, "store"), port: 0, ...options });
  onTestFinished(() => server.close());
  return { cwd, url: server.url };
}

describe("with --url", () => {
  it("append takes the lines of a file or of standard input", async () => {
    const { cwd, url } = await serveStore();
    writeFileSync(join(cwd, "lines"), "one\ntwo\n");
    const file = await seglog(cwd, ["append", "--url", url, "--key", "new", "lines"]);
    expect([file.code, file.err]).toEqual([0, ""]);
    expect(file.out).toBe(`appended 2 records (offsets 0 to 1) to ${url}, key new\n`);
    const piped = await seglog(cwd, ["append", "--url", url, "--key", "new"], "three");
    expect(piped.out).toBe(`appended 1 record (offset 2) to ${url}, key new\n`);
    const { out } = await seglog(cwd, ["cat", "--url", url, "--key", "new"]);
    expect(out).toBe("one\ntwo\nthree\n");
  });

  it("cat prints what the same command prints of a directory", async () => {
    const { cwd, url } = await serveStore();
    for (const more of [[], ["--from", "3", "--to", "5"], ["-n", "2"], ["--format", "json"]]) {
      const local = await seglog(cwd, ["cat", "store", "--key", "orders", ...more]);
      const remote = await seglog(cwd, ["cat", "--url", url, "--key", "orders", ...more]);
      expect(remote).toEqual(local);
    }
    const from = await seglog(cwd, ["cat", "--url", url, "--key", "orders", "--from", "99"]);
    expect([from.code, from.err]).toEqual([2, expect.stringContaining("OFFSET_OUT_OF_RANGE")]);
  });

  it("cat --follow prints what comes", async () => {
    const { cwd, url } = await serveStore();
    const args = ["cat", "--url", url, "--key", "orders", "--follow", "--from", "11", "-n", "2"];
    const following = seglog(cwd, args);
    await seglog(cwd, ["append", "--url", url, "--key", "orders"], "new\n");
    const { code, out } = await following;
    expect(code).toBe(0);
    expect(out.split("\n").at(-2)).toBe("new");
  });

  it("cat --follow waits for a key to be made, and tells so", async () => {
    const { cwd, url } = await serveStore();
    const following = seglog(cwd, ["cat", "--url", url, "-k", "later", "--follow", "-n", "1"]);
    await seglog(cwd, ["append", "--url", url, "-k", "later"], "first\nsecond\n");
    const { code, out, err } = await following;
    expect([code, out]).toEqual([0, "first\n"]);
    expect(err).toBe(`seglog: ${url} has no key "later" yet: waiting for it to be made\n`);
    const none = await seglog(cwd, ["cat", "--url", url, "-k", "none"]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("KEY_NOT_FOUND")]);
  });

  it("offsets prints what the same command prints of a directory", async () => {
    const { cwd, url } = await serveStore();
    for (const more of [[], ["--json"]]) {
      const local = await seglog(cwd, ["offsets", "store", ...more]);
      expect(await seglog(cwd, ["offsets", "--url", url, ...more])).toEqual(local);
    }
  });

  it("inspect lists keys, and the segments of one", async () => {
    const { cwd, url } = await serveStore();
    const store = await seglog(cwd, ["inspect", "--url", url]);
    expect(store.out).toContain(`store ${url}\n  total    3 keys`);
    expect(store.out).toMatch(/^orders +0 +12 +1 +\d+$/m);
    const log = await seglog(cwd, ["inspect", "--url", url, "--key", "orders"]);
    expect(log.out).toMatch(/offsets {2}start 0, end 12\n/);
    const json = await seglog(cwd, ["inspect", "--url", url, "--key", "orders", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({ key: "orders", startOffset: 0, endOffset: 12 });
    const none = await seglog(cwd, ["inspect", "--url", url, "--key", "none"]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("KEY_NOT_FOUND")]);
  });

  it("tells what is wrong with its use, or with the server", async () => {
    const { cwd, url } = await serveStore();
    const cases: [string[], RegExp][] = [
      [["cat", "store", "--url", url], /USAGE: Give either <dir> or --url/],
      [["cat", "--url", url], /USAGE: .*say which log with --key/],
      [["append", "--url", url, "x"], /USAGE: .*say which log with --key/],
      [["append", "--url", url, "-k", "k", "a", "b"], /USAGE: Give either/],
      [["append", "--url", url, "-k", "k", "--durability", "os"], /USAGE: .*the server's to set/],
      [["inspect", "store", "--token-file", "x"], /USAGE: --token-file goes with --url/],
      [["offsets"], /USAGE: missing required argument/],
      [["offsets", "--url", "localhost"], /USAGE: url must be/],
      [["offsets", "--url", url, "--token-file", "none"], /USAGE: The file none does not exist/],
      [["offsets", "--url", "http://127.0.0.1:1"], /UNAVAILABLE: .*http:\/\/127\.0\.0\.1:1/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await seglog(cwd, args);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  it("sends the token of a file, and shows it to nobody", async () => {
    const directory = temporaryDirectory();
    const token = "a-very-secret-token";
    const sha256 = createHash("sha256").update(token).digest("hex");
    const tokens = join(directory, "tokens.json");
    const entry = { name: "reader", sha256, rights: ["read"], prefix: "" };
    writeFileSync(tokens, JSON.stringify({ tokens: [entry] }), { mode: 0o600 });
    const { cwd, url } = await serveStore({ tokens });
    writeFileSync(join(cwd, "token"), `${token}\n`);
    const args = ["--url", url, "--key", "orders"];
    const read = await seglog(cwd, ["cat", ...args, "--token-file", "token", "-n", "1"]);
    expect([read.code, read.err]).toEqual([0, ""]);
    const write = await seglog(cwd, ["append", ...args, "--token-file", "token"], "x");
    expect([write.code, write.err]).toEqual([2, expect.stringContaining("PERMISSION_DENIED")]);
    expect(write.err).not.toContain(token);
    const none = await seglog(cwd, ["cat", ...args]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("UNAUTHENTICATED")]);
  });
});
