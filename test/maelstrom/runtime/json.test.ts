import { describe, expect, it } from "vitest";
import { encodeJson, type Json, JsonText } from "../../../src/maelstrom/runtime/json.js";

describe("encodeJson", () => {
  it.each<[string, Json, string]>([
    ["scalars", [1, "a\n", true, null], `[1,"a\\n",true,null]`],
    ["maps", new Map<string, Json>([["a", new Map()]]), `{"a":{}}`],
    ["objects", { a: { b: [new JsonText("1.0")] } }, `{"a":{"b":[1.0]}}`],
    ["text as it is", [new JsonText("1.0")], "[1.0]"],
    ["a lone surrogate so that it survives UTF-8", "\ud800", `"\\ud800"`],
  ])("writes %s", (_, value, expected) => {
    expect(encodeJson(value)).toBe(expected);
  });

  it("writes any key, in the order of the map", () => {
    const map = new Map([
      ["b", 1],
      ["__proto__", 2],
      ["10", 3],
      ["9", 4],
      ['"', 5],
    ]);
    expect(encodeJson(map)).toBe(`{"b":1,"__proto__":2,"10":3,"9":4,"\\"":5}`);
  });

  it("keeps a value on one line", () => {
    expect(encodeJson(new JsonText("[1,\r\n 2]"))).toBe("[1,   2]");
  });
});
