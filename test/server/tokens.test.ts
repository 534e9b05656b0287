import { createHash } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokens } from "../../src/server/tokens.js";
import { codeOf, failureOf } from "../support/failure.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");

const WRITER = { name: "writer", sha256: sha256("w".repeat(64)), rights: ["append"], prefix: "a/" };
const OPERATOR = {
  name: "operator",
  sha256: sha256("o".repeat(64)),
  rights: ["read", "admin"],
  prefix: "",
};

const parse = (value: unknown) => Tokens.parse(JSON.stringify(value), "tokens.json");

describe("tokens", () => {
  const tokens = parse({ tokens: [WRITER, OPERATOR] });

  it("give the rights that stand in the file, and no others", () => {
    const writer = tokens.accessOf(`Bearer ${"w".repeat(64)}`);
    expect(writer.name).toBe("writer");
    expect(writer.may("append", "a/1")).toBe(true);
    expect(writer.may("append", "a")).toBe(false);
    expect(writer.may("append", "b/1")).toBe(false);
    expect(writer.may("read", "a/1")).toBe(false);
    expect(writer.may("admin", "a/1")).toBe(false);
    const operator = tokens.accessOf(`bearer  ${"o".repeat(64)} `);
    expect(operator.may("read", "whatever")).toBe(true);
    expect(operator.may("append", "whatever")).toBe(false);
  });

  it.each([
    ["nothing", undefined],
    ["an empty header", ""],
    ["no token", "Bearer "],
    ["another scheme", `Basic ${"w".repeat(64)}`],
    ["a part of a token", `Bearer ${"w".repeat(63)}`],
    ["more than a token", `Bearer ${"w".repeat(65)}`],
    ["the digest of a token", `Bearer ${WRITER.sha256}`],
    ["two tokens", `Bearer ${"w".repeat(64)} ${"o".repeat(64)}`],
    ["a very long token", `Bearer ${"w".repeat(100_000)}`],
  ])("refuse %s, and do not repeat it", async (_, header) => {
    const error = await failureOf(() => tokens.accessOf(header));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).not.toContain("www");
  });

  it("may be none: then nobody comes in", async () => {
    expect(await codeOf(() => parse({ tokens: [] }).accessOf("Bearer x"))).toBe("UNAUTHENTICATED");
  });
});

describe("a file of tokens", () => {
  it.each<[string, unknown, string]>([
    ["no object", [WRITER], 'an object with a list of "tokens"'],
    ["no list", { tokens: WRITER }, 'an object with a list of "tokens"'],
    ["too many", { tokens: Array(1001).fill(WRITER) }, "more than 1000"],
    ["an entry that is no object", { tokens: [null] }, "index 0 is no object"],
    ["an unknown field", { tokens: [{ ...WRITER, token: "geheim" }] }, "is none of name, sha256"],
    ["no name", { tokens: [{ ...WRITER, name: "" }] }, 'has no "name"'],
    ["a token in clear text", { tokens: [{ ...WRITER, sha256: "geheim" }] }, '"sha256" of 64'],
    ["a digest in upper case", { tokens: [{ ...WRITER, sha256: "A".repeat(64) }] }, "lower case"],
    ["no rights", { tokens: [{ ...WRITER, rights: [] }] }, "read, append, admin"],
    ["an unknown right", { tokens: [{ ...WRITER, rights: ["write"] }] }, "read, append, admin"],
    ["no prefix", { tokens: [{ ...WRITER, prefix: undefined }] }, '"prefix"'],
    ["a name twice", { tokens: [WRITER, { ...OPERATOR, name: "writer" }] }, "two entries"],
    ["a token twice", { tokens: [WRITER, { ...WRITER, name: "other" }] }, "another one's"],
  ])("is refused: %s", (_, value, message) => {
    expect(() => parse(value)).toThrow(TypeError);
    expect(() => parse(value)).toThrow(message);
    expect(() => parse(value)).not.toThrow("geheim");
  });

  it("is refused when it is cut anywhere, and its content is not repeated", () => {
    const text = JSON.stringify({ tokens: [WRITER] });
    for (let length = 0; length < text.length; length++) {
      const cut = text.slice(0, length);
      expect(() => Tokens.parse(cut, "tokens.json")).toThrow("tokens.json is no file of tokens");
      expect(() => Tokens.parse(cut, "tokens.json")).not.toThrow(WRITER.sha256.slice(0, 8));
    }
  });

  it("must be private, and there", async () => {
    const path = join(temporaryDirectory(), "tokens.json");
    expect(await codeOf(Tokens.read(path))).toBe("IO_ERROR");
    writeFileSync(path, JSON.stringify({ tokens: [WRITER] }));
    for (const mode of [0o604, 0o620, 0o660, 0o601, 0o602]) {
      chmodSync(path, mode);
      expect(await codeOf(Tokens.read(path))).toBe("UNSAFE_PATH");
    }
    for (const mode of [0o600, 0o640, 0o400]) {
      chmodSync(path, mode);
      await Tokens.read(path);
    }
    writeFileSync(path, " ".repeat(1024 * 1024 + 1));
    chmodSync(path, 0o600);
    await expect(Tokens.read(path)).rejects.toThrow(RangeError);
  });
});
