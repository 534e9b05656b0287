import { describe, expect, it } from "vitest";
import { memberText } from "../../../src/maelstrom/runtime/member-text.js";

describe("memberText", () => {
  it.each([
    ["a number too long for a double", `{"a":12345678901234567890}`, "12345678901234567890"],
    ["a number with a fraction of nothing", `{"a":5.0}`, "5.0"],
    ["a number at the very end of its object", `{"a":-1e400}`, "-1e400"],
    ["a literal", `{"a":null,"b":1}`, "null"],
    ["an empty string", `{"a":""}`, `""`],
    ["a string with escapes", `{"a":"\\"a\\":\\\\"}`, `"\\"a\\":\\\\"`],
    ["a string that looks like a member", `{"b":"\\"a\\":1","a":2}`, "2"],
    ["brackets inside of strings", `{"a":["]}",{"b":"}"}],"c":1}`, `["]}",{"b":"}"}]`],
    ["a member of the same name further in", `{"b":{"a":1},"a":2}`, "2"],
    ["the last of several", `{"a":1,"a":2}`, "2"],
    ["a name that is written with an escape", `{"\\u0061":1}`, "1"],
    ["white space everywhere", ` { "b" : [ ] ,\t"a"\n:\r[ 1 ] } `, "[ 1 ]"],
  ])("finds %s", (_, text, expected) => {
    JSON.parse(text);
    expect(memberText(text, "a")).toBe(expected);
  });

  it.each(["{}", " { } ", `{"b":1}`, `{"b":{"a":1}}`, `{"b":"a"}`])("finds none in %s", (text) => {
    expect(memberText(text, "a")).toBeUndefined();
  });

  it("is not overwhelmed by depth", () => {
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    expect(memberText(`{"a":${deep}}`, "a")).toBe(deep);
  });

  it("takes names of an object's own machinery as names", () => {
    expect(memberText(`{"__proto__":1}`, "__proto__")).toBe("1");
    expect(memberText("{}", "constructor")).toBeUndefined();
  });
});
