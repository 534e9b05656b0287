import { describe, expect, it } from "vitest";
import { MaelstromError } from "../../../src/maelstrom/runtime/maelstrom-error.js";
import {
  encodeReply,
  errorBody,
  type Origin,
  parseLine,
  type Request,
} from "../../../src/maelstrom/runtime/protocol.js";

function parseRequest(line: string): Request {
  const parsed = parseLine(line);
  if (parsed.kind !== "request") throw new Error(`${line} is ${parsed.kind}`);
  return parsed.request;
}

describe("parseLine", () => {
  it("reads a request", () => {
    const line = `{"id":7,"src":"c1","dest":"n1","body":{"type":"send","msg_id":3,"key":"k"}}`;
    expect(parseRequest(line)).toMatchObject({
      src: "c1",
      dest: "n1",
      messageId: 3,
      type: "send",
      body: { key: "k" },
    });
  });

  it("gives the text of a member", () => {
    const line = `{"msg":0,"body":{"msg_id":1,"type":"t","msg":1.0},"src":"c","dest":"n"}`;
    expect(parseRequest(line).bodyText("msg")).toBe("1.0");
    expect(parseRequest(line).bodyText("other")).toBeUndefined();
  });

  it("keeps names of an object's own machinery as members", () => {
    const line = `{"src":"c","dest":"n","body":{"type":"t","msg_id":1,"__proto__":{"type":"u"}}}`;
    const { body, type } = parseRequest(line);
    expect(type).toBe("t");
    expect(Object.entries(body)).toContainEqual(["__proto__", { type: "u" }]);
  });

  it.each([
    ["", "not JSON"],
    ["hello", "not JSON"],
    [`{"src":"c"`, "not JSON"],
    ["5", "not a JSON object"],
    ["null", "not a JSON object"],
    ["[]", "not a JSON object"],
    ["{}", "no src"],
    [`{"src":1,"body":{}}`, "no src"],
    [`{"src":"c"}`, "no body"],
    [`{"src":"c","body":[]}`, "no body"],
    [`{"src":"c","body":{"type":"t"}}`, "no msg_id"],
    [`{"src":"c","body":{"msg_id":"1"}}`, "no msg_id"],
    [`{"src":"c","body":{"msg_id":1.5}}`, "no msg_id"],
    [`{"src":"c","body":{"msg_id":1e300}}`, "no msg_id"],
    [`{"src":"c","body":{"in_reply_to":"1","type":"read_ok"}}`, "a reply"],
    [`{"src":"c","body":{"in_reply_to":1}}`, "a reply"],
  ])("finds nobody to answer in %s", (line, reason) => {
    const parsed = parseLine(line);
    expect(parsed.kind).toBe("unanswerable");
    expect(parsed).toHaveProperty("reason", expect.stringContaining(reason));
  });

  it.each([
    [`{"src":"c","dest":"n","body":{"msg_id":1}}`, "type must be a string"],
    [`{"src":"c","dest":"n","body":{"msg_id":1,"type":5}}`, "type must be a string"],
    [`{"src":"c","body":{"msg_id":1,"type":"t"}}`, "dest must be a string"],
  ])("refuses %s", (line, message) => {
    const parsed = parseLine(line);
    if (parsed.kind !== "refused") throw new Error(`${line} is ${parsed.kind}`);
    expect(parsed.origin).toMatchObject({ src: "c", messageId: 1 });
    expect(parsed.error.code).toBe(12);
    expect(parsed.error.message).toBe(message);
  });
});

describe("encodeReply", () => {
  const origin: Origin = { src: "c1", dest: "n1", messageId: 3 };

  it("writes an answer", () => {
    expect(encodeReply("n1", origin, { type: "send_ok", offset: 5 })).toBe(
      `{"src":"n1","dest":"c1","body":{"type":"send_ok","offset":5,"in_reply_to":3}}`,
    );
  });

  it("writes an error", () => {
    const error = new MaelstromError("temporarilyUnavailable", "no space");
    expect(encodeReply("n1", origin, errorBody(error))).toBe(
      `{"src":"n1","dest":"c1","body":` +
        `{"type":"error","code":11,"text":"no space","in_reply_to":3}}`,
    );
  });

  it("escapes what others chose", () => {
    const line = encodeReply('n"', { ...origin, src: "c\n" }, { type: "t" });
    expect(JSON.parse(line)).toMatchObject({ src: 'n"', dest: "c\n" });
    expect(line).not.toContain("\n");
  });
});
