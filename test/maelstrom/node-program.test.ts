import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { GOLDEN_CONVERSATION, goldenReplyLine, goldenRequestLine } from "./golden-conversation.js";
import type { Body } from "./history.js";
import { NodeProcess } from "./node-process.js";
import { PROGRAM, startInitialized, startNode, temporaryDirectory } from "./temporary.js";

const initLine = (nodeId: string, nodeIds: readonly string[]) => {
  const body = { type: "init", msg_id: 1, node_id: nodeId, node_ids: nodeIds };
  return JSON.stringify({ src: "c1", dest: nodeId, body });
};
const INIT = initLine("n0", ["n0"]);

const send = (key: string, msg: unknown): Body => ({ type: "send", key, msg });
const poll = (offsets: object): Body => ({ type: "poll", offsets });

/** Runs the program to its end on a given input. */
function run(args: readonly string[], input: string) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { input, encoding: "utf8" });
}

describe("a conversation", () => {
  it("is answered to the letter", async () => {
    const node = startNode("--data-dir", temporaryDirectory());
    for (const [index, [request, reply]] of GOLDEN_CONVERSATION.entries()) {
      await node.exchange(goldenRequestLine(index, request), "c1", index + 1);
      expect(node.lastLine).toBe(goldenReplyLine(index, reply));
    }
    expect(await node.end()).toEqual({ code: 0, signal: null });
    expect(node.strayLines).toEqual([]);
  });

  it("is answered alike when all of it comes at once", () => {
    const lines = GOLDEN_CONVERSATION.map(([request], index) => goldenRequestLine(index, request));
    const expected = GOLDEN_CONVERSATION.map(([, reply], index) => goldenReplyLine(index, reply));
    const result = run(["--data-dir", temporaryDirectory()], lines.join("\r\n"));
    // Polls see what came before them; some of these see more.
    const settled = (line: string) => !/"poll_ok"|"list_committed/.test(line);
    const answers = result.stdout.split("\n").slice(0, -1);
    expect(answers.filter(settled).sort()).toEqual(expected.filter(settled).sort());
    expect(answers).toHaveLength(expected.length);
    expect(result.status).toBe(0);
  });

  it("goes on where it was after a restart", async () => {
    const directory = temporaryDirectory();
    const first = await startInitialized(directory);
    await first.request("c1", send("k", "a"));
    await first.request("c1", { type: "commit_offsets", offsets: { k: 0 } });
    await first.end();
    const second = await startInitialized(directory);
    expect(await second.request("c2", send("k", "b"))).toEqual({ type: "send_ok", offset: 1 });
    expect(await second.request("c2", poll({ k: 0 }))).toEqual({
      type: "poll_ok",
      msgs: {
        k: [
          [0, "a"],
          [1, "b"],
        ],
      },
    });
    const list = { type: "list_committed_offsets", keys: ["k"] };
    expect(await second.request("c2", list)).toMatchObject({ offsets: { k: 0 } });
  });
});

describe("bad input", () => {
  let node: NodeProcess;
  let sends = 0;

  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "seglog-test-"));
    node = new NodeProcess(PROGRAM, ["--data-dir", directory]);
    await node.init();
    await node.request("c1", send("k", sends++));
  });

  afterAll(async () => {
    const exit = await node.end();
    rmSync(directory, { recursive: true });
    expect(exit).toEqual({ code: 0, signal: null });
    expect(node.strayLines).toEqual([]);
  });

  it.each<[string, Body, number]>([
    ["an unknown type", { type: "txn" }, 10],
    ["the name of an object's own machinery", { type: "constructor" }, 10],
    ["another node", { type: "init", node_id: "n1", node_ids: ["n1"] }, 12],
    ["an empty key", send("", 1), 12],
    ["a key that is no text", send("\ud800", 1), 12],
    ["a key that is too long", send("k".repeat(100_000), 1), 12],
    ["an offset below 0", poll({ k: -1 }), 12],
    ["a poll behind the end", poll({ k: 1000 }), 12],
    ["a poll behind the end of nothing", poll({ other: 1 }), 12],
    ["a poll from a far offset", poll({ k: Number.MAX_SAFE_INTEGER - 1 }), 12],
    ["a poll of a bad key beside a good one", poll({ k: 0, "": 0 }), 12],
    ["a commit behind the end", { type: "commit_offsets", offsets: { k: 1000 } }, 12],
    ["a commit of an unknown key", { type: "commit_offsets", offsets: { other: 0 } }, 20],
    ["one bad commit of two", { type: "commit_offsets", offsets: { k: 0, other: 0 } }, 20],
  ])("%s is refused, and changes nothing", async (_, request, code) => {
    const reply = await node.request("c1", request);
    expect(reply).toMatchObject({ type: "error", code });
    expect(reply.text).toMatch(/./);
    const list = { type: "list_committed_offsets", keys: ["k", "other"] };
    expect(await node.request("c1", list)).toMatchObject({ offsets: {} });
    expect(await node.request("c1", send("k", sends))).toMatchObject({ offset: sends++ });
  });

  it.each<[string, string | Uint8Array]>([
    ["nothing", ""],
    ["text", "hello"],
    ["half a message", `{"src":"c1","dest":"n0","body":{"type":"send"`],
    ["no message", "[1,2,3]"],
    ["nobody to answer", `{"src":"c1","dest":"n0","body":{"type":"send","key":"k","msg":1}}`],
    ["bytes that are not UTF-8", Buffer.from([0xc3, 0x28])],
    ["too many bytes", `"${"x".repeat(17 * 2 ** 20)}"`],
    ["an answer", `{"src":"c1","dest":"n0","body":{"type":"x","in_reply_to":1,"msg_id":5}}`],
    ["depth", "[".repeat(1_000_000)],
  ])("a line of %s is logged, and the node goes on", async (_, line) => {
    const logged = node.log.length;
    node.write(line);
    node.write("\n");
    expect(await node.request("c1", send("k", sends))).toMatchObject({ offset: sends++ });
    await node.logged("ignored a line", logged);
  });
});

describe("the end", () => {
  it("comes with the end of input, after all answers", async () => {
    const directory = temporaryDirectory();
    const node = await startInitialized(directory);
    const sends = Array.from({ length: 1000 }, (_, index) => node.request("c1", send("k", index)));
    expect(await node.end()).toEqual({ code: 0, signal: null });
    const offsets = (await Promise.all(sends)).map((reply) => reply.offset);
    expect(offsets).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });

  it.each(["SIGTERM", "SIGINT"] as const)("comes with %s, nothing lost", async (signal) => {
    const directory = temporaryDirectory();
    const node = await startInitialized(directory);
    const sends = Array.from({ length: 500 }, (_, index) => node.request("c1", send("k", index)));
    await sends[0];
    node.child.kill(signal);
    expect(await node.exit).toEqual({ code: 0, signal: null });
    const results = await Promise.allSettled(sends);
    const acknowledged = results.filter(({ status }) => status === "fulfilled").length;
    const next = await startInitialized(directory);
    // What the node did not come to, it did not do.
    expect(await next.request("c1", send("k", "end"))).toMatchObject({ offset: acknowledged });
  });

  it("comes quietly when nobody reads the answers", async () => {
    const directory = temporaryDirectory();
    const node = await startInitialized(directory);
    const logBefore = node.log;
    node.child.stdout?.destroy();
    node.request("c1", send("k", 1)).catch(() => {});
    expect(await node.exit).toEqual({ code: 0, signal: null });
    expect(node.log).toBe(logBefore);
    const next = await startInitialized(directory);
    expect(await next.request("c1", poll({ k: 0 }))).toMatchObject({ msgs: { k: [[0, 1]] } });
  });
});

describe("the command line", () => {
  it("says where the data is", async () => {
    const node = startNode();
    await node.init();
    const [, path = ""] = /data in (.*)\n/.exec(node.log) ?? [];
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    expect(path.startsWith(join(tmpdir(), "seglog-maelstrom-"))).toBe(true);
    expect(existsSync(path)).toBe(true);
    await node.end();
  });

  it("takes a fresh directory each time", () => {
    const paths = [run([], INIT), run([], INIT)].map(
      ({ stderr }) => /data in (.*)\n/.exec(stderr)?.[1],
    );
    for (const path of paths) if (path) rmSync(path, { recursive: true });
    expect(new Set(paths).size).toBe(2);
  });

  it.each(["always", "interval", "os"])("takes --durability %s", async (durability) => {
    const node = startNode("--data-dir", temporaryDirectory(), "--durability", durability);
    await node.init();
    expect(await node.request("c1", send("k", 1))).toMatchObject({ offset: 0 });
    expect(await node.end()).toEqual({ code: 0, signal: null });
  });

  it("helps", () => {
    const result = run(["--help"], "");
    expect(result.stdout).toContain("Usage: seglog-maelstrom");
    expect(result.stdout).toContain("maelstrom test -w kafka");
    expect(result.status).toBe(0);
  });

  it.each([
    [["--durability", "never"], "--durability must be one of always, interval, os, not 'never'"],
    [["--data-dir", ""], "--data-dir must name a directory"],
    [["--data-dir"], "--data-dir"],
    [["--unknown"], "--unknown"],
    [["positional"], "positional"],
    [["--engine", "tape"], "one of segments, kv, not 'tape'"],
    [["--no-router"], "--no-router needs --engine kv"],
  ])("refuses %j", (args, message) => {
    const result = run(args, "");
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toContain("    at ");
    expect(result.stdout).toBe("");
    expect(result.status).toBe(2);
  });

  it("says what has no meaning with --engine kv", () => {
    const directory = join(temporaryDirectory(), "none");
    const result = run(["--engine", "kv", "--data-dir", directory], "");
    expect(result.stderr).toContain("--data-dir is not used");
    expect(result.status).toBe(0);
    expect(existsSync(directory)).toBe(false);
  });

  it("refuses a directory that another node uses", async () => {
    const directory = temporaryDirectory();
    const node = await startInitialized(directory);
    const result = run(["--data-dir", directory], INIT);
    expect(result.stderr).toContain(`process ${node.child.pid}`);
    expect(result.stderr).not.toContain("    at ");
    expect(JSON.parse(result.stdout)).toMatchObject({ body: { type: "error", in_reply_to: 1 } });
    expect(result.stdout).toContain("LOCKED");
    expect(result.status).toBe(1);
  });

  it("may be one for all nodes of a network, each of which keeps to its own part", () => {
    const directory = join(temporaryDirectory(), "data");
    const ids = ["n0", "N1/.."];
    const logs = ids.map((id) => run(["--data-dir", directory], initLine(id, ids)).stderr);
    expect(logs[0]).toContain(`data in ${join(directory, "n0")}\n`);
    expect(logs[1]).toContain(`data in ${join(directory, "%4e1%2f%2e%2e")}\n`);
    expect(readdirSync(directory).toSorted()).toEqual(["%4e1%2f%2e%2e", "n0"]);
  });
});
