import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { PROGRAM, temporaryDirectory } from "../maelstrom/temporary.js";
import { readRecording } from "./recording.js";
import { replay } from "./replay.js";

const RECORDING = fileURLToPath(
  new URL("../../fixtures/maelstrom/single-node.requests.ndjson", import.meta.url),
);
const messages = readRecording(RECORDING);

/**
 * A node that keeps its messages in memory, and in a file between two runs. `fault` is a piece of
 * code that spoils its handlers.
 */
function simpleNode(fault: string): string {
  const program = join(temporaryDirectory(), "node.mjs");
  writeFileSync(
    program,
    `
    import { createInterface } from "node:readline";
    import { existsSync, readFileSync, writeFileSync } from "node:fs";
    const file = process.argv[3] + ".json";
    const { logs, next, committed } = existsSync(file)
      ? JSON.parse(readFileSync(file, "utf8")) : { logs: {}, next: {}, committed: {} };
    const select = (keys, from) => Object.fromEntries(
      keys.filter((key) => key in from).map((key) => [key, from[key]]));
    const handlers = {
      init: () => ({}),
      send: ({ key, msg: message }) => {
        const offset = next[key] ?? 0;
        next[key] = offset + 1;
        (logs[key] ??= []).push([offset, message]);
        return { offset };
      },
      poll: ({ offsets }) => {
        const find = ([key, from]) => [key, (logs[key] ?? []).filter(([o]) => o >= from)];
        return { msgs: Object.fromEntries(Object.entries(offsets).map(find)) };
      },
      commit_offsets: ({ offsets }) => {
        for (const [key, offset] of Object.entries(offsets)) {
          committed[key] = Math.max(offset, committed[key] ?? 0);
        }
        return {};
      },
      list_committed_offsets: ({ keys }) => ({ offsets: select(keys, committed) }),
    };
    let sends = 0;
    const { send } = handlers;
    ${fault}
    for await (const line of createInterface({ input: process.stdin })) {
      const { src, dest, body } = JSON.parse(line);
      const answer = handlers[body.type](body);
      const type = body.type + "_ok";
      const reply = { src: dest, dest: src, body: { type, in_reply_to: body.msg_id, ...answer } };
      if (answer) console.log(JSON.stringify(reply));
    }
    writeFileSync(file, JSON.stringify({ logs, next, committed }));
    `,
  );
  return program;
}

/** Code that makes every 50th send something else; `body` is its request. */
const every50th = (code: string) =>
  `handlers.send = (body) => { if (++sends % 50 === 0) { ${code} } return send(body); };`;

describe("the recording", () => {
  it("is the whole run", () => {
    expect(messages).toHaveLength(18_506);
  });

  // The whole of it is played by `npm start`.
  it("is answered well by the node, as far as the first 5,000 messages go", async () => {
    const result = await replay(messages.slice(0, 5000), PROGRAM, temporaryDirectory());
    expect(result.verdict).toMatchObject({ anomalies: [], unseen: 0, refused: 0, unanswered: 0 });
    expect(result.verdict.acknowledged).toBe(2183);
    expect(result.complaints).toEqual([]);
  });
});

describe("a replay to another node", () => {
  const play = (fault: string, noProgressMs?: number) =>
    replay(
      messages.slice(0, 1000),
      simpleNode(fault),
      join(temporaryDirectory(), "data"),
      noProgressMs,
    );

  it("finds nothing wrong with one that does the same", async () => {
    const { verdict, complaints } = await play("");
    expect(verdict).toMatchObject({ anomalies: [], unseen: 0, unanswered: 0 });
    expect(complaints).toEqual([]);
  });

  it.each([
    [
      "lost-write",
      "a message that is gone",
      every50th("const answer = send(body); logs[body.key].pop(); return answer;"),
    ],
    ["phantom", "a message that is altered", every50th("return send({ ...body, msg: 'x' });")],
    ["duplicate", "a message that is there twice", every50th("send(body);")],
    [
      "int-nonmonotonic-poll",
      "messages in a wrong order",
      every50th("const answer = send(body); logs[body.key].reverse(); return answer;"),
    ],
    [
      "committed-backwards",
      "a commit that is gone",
      "handlers.list_committed_offsets = () => ({ offsets: {} });",
    ],
    [
      "committed-made-up",
      "a commit of something else",
      "handlers.list_committed_offsets = ({ keys: [key] }) => ({ offsets: { [key]: 999 } });",
    ],
  ])("finds %s: %s", async (kind, _, fault) => {
    const { verdict } = await play(fault);
    expect(verdict.anomalies.map((anomaly) => anomaly.kind)).toContain(kind);
  });

  it("fails with one that does not answer", async () => {
    const fault = "handlers.send = (body) => { if (sends++ === 100) return; return send(body); };";
    await expect(play(fault, 1000)).rejects.toThrow("no answer for 1000 ms");
  });

  it.each([
    ["ends", "if (sends++ === 100) process.exit(7);", "the node ended"],
    ["gives an offset twice", "next[body.key] = Math.min(next[body.key] ?? 0, 3);", "was not ack"],
  ])("fails with one that %s", async (_, code, message) => {
    const fault = `handlers.send = (body) => { ${code} return send(body); };`;
    await expect(play(fault)).rejects.toThrow(message);
  });

  it("complains about output that is no answer", async () => {
    const { complaints } = await play(`console.log("hello");`);
    expect(complaints).toEqual(["not an answer to anything: hello", expect.anything()]);
  });

  it("complains about requests that are refused", async () => {
    const refuse = `return { type: "error", code: 11 };`;
    await expect(play(every50th(refuse))).rejects.toThrow("was not acknowledged");
  });

  it("complains about one that does not end well", async () => {
    const { complaints } = await play("process.exitCode = 3;");
    expect(complaints).toEqual(["the node ended with 3", "the node ended with 3"]);
  });
});
