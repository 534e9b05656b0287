import { describe, expect, it } from "vitest";
import { escapeBytes, escapeText, safeJson } from "../../src/cli/escape.js";

describe("escapeText", () => {
  it.each([
    ["plain text, ünïcödé, 日本語, 😀", "plain text, ünïcödé, 日本語, 😀"],
    ["a\nb\rc\td", "a\\nb\\rc\\td"],
    ["\u0000\u001b[2J", "\\x00\\x1b[2J"],
    ["\u007f\u0085\u009b", "\\x7f\\u{85}\\u{9b}"],
    ["\u202eevil\u2066\u061c", "\\u{202e}evil\\u{2066}\\u{61c}"],
    ["zero\u200bwidth\u200d\ufeff", "zero\\u{200b}width\\u{200d}\\u{feff}"],
    ["line\u2028paragraph\u2029", "line\\u{2028}paragraph\\u{2029}"],
    ["tag\u{e0041}", "tag\\u{e0041}"],
    ["lone \ud800", "lone \\u{d800}"],
    ['{"path":"C:\\\\x"}', '{"path":"C:\\\\x"}'],
  ])("%j", (text, expected) => {
    expect(escapeText(text)).toBe(expected);
  });

  it("leaves nothing that a terminal obeys", () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      const escaped = escapeText(String.fromCodePoint(code));
      if (/^\\[nrt]$|^\\x[0-9a-f]{2}$|^\\u\{[0-9a-f]+\}$/.test(escaped)) continue;
      if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(escaped)) expect(code).toBe("escaped");
    }
  });
});

describe("escapeBytes", () => {
  it.each([
    [Buffer.from("ä\n"), "ä\\n"],
    [Buffer.from([0xff, 0xfe, 0x41]), "\\xff\\xfeA"],
    [Buffer.from([0x41, 0xc3]), "A\\xc3"],
    [Buffer.concat([Buffer.from("ä😀"), Buffer.from([0x9b])]), "ä😀\\x9b"],
    [Buffer.from([0xc0, 0x80]), "\\xc0\\x80"],
    [Buffer.from([0xed, 0xa0, 0x80]), "\\xed\\xa0\\x80"],
    [Buffer.from([0xf0, 0x9f, 0x1b]), "\\xf0\\x9f\\x1b"],
  ])("%j", (bytes, expected) => {
    expect(escapeBytes(bytes)).toBe(expected);
  });
});

describe("safeJson", () => {
  it("gives the very value back, and prints nothing unsafe", () => {
    const value = { text: "\u001b\u007f\u0085\u202e\u200b\u2028\u{e0041}\n\ud800", list: [1] };
    for (const json of [safeJson(value), safeJson(value, 2)]) {
      expect(JSON.parse(json)).toEqual(value);
      expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }
  });
});
