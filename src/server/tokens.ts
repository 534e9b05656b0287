import { createHash, timingSafeEqual } from "node:crypto";
import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";
import { type Access, RIGHTS, type Right } from "./access.js";
import { readSecretFile } from "./secret-files.js";

/** Every request looks at all of them. */
const MAX_TOKENS = 1000;
/** Enough for a token of any kind, and quick to hash. */
const MAX_TOKEN_LENGTH = 4096;
const SHA256_HEX = /^[0-9a-f]{64}$/;
const BEARER = /^bearer +(\S+) *$/i;
const FIELDS = ["name", "sha256", "rights", "prefix"];

interface Entry {
  readonly digest: Buffer;
  readonly access: Access;
}

/**
 * The tokens that a server knows, each with its rights. It keeps their SHA-256 alone: whoever reads
 * the file, or the memory, still has no token.
 */
export class Tokens {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /**
   * Reads a file of tokens; docs/server.md describes it.
   *
   * @throws SeglogError `FILE_ACCESS`, `IO_ERROR`, `UNSAFE_PATH`; TypeError, which says where, if
   *   it is not such a file.
   */
  static async read(path: string): Promise<Tokens> {
    return Tokens.parse((await readSecretFile(path)).toString("utf8"), path);
  }

  /** As {@link read}, of the text of a file. */
  static parse(text: string, path: string): Tokens {
    const wrong = (what: string) => new TypeError(`${path} is no file of tokens: ${what}`);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // The parser's message quotes the text, which holds secrets.
      throw wrong("it is not JSON");
    }
    const list = isObject(value) ? value.tokens : undefined;
    if (!Array.isArray(list)) throw wrong('it must be an object with a list of "tokens"');
    if (list.length > MAX_TOKENS) throw wrong(`it has more than ${MAX_TOKENS}`);
    const names = new Set<string>();
    const digests = new Set<string>();
    const entries = list.map((item: unknown, index) => {
      const { name, sha256, rights, prefix } = checkEntry(item, (what) =>
        wrong(`the entry at index ${index} ${what}`),
      );
      if (names.has(name)) throw wrong(`there are two entries of the name ${describe(name)}`);
      if (digests.has(sha256)) throw wrong(`the token of ${describe(name)} is another one's, too`);
      names.add(name);
      digests.add(sha256);
      const may = (right: Right, key: string) => rights.includes(right) && key.startsWith(prefix);
      return { digest: Buffer.from(sha256, "hex"), access: { name, prefix, may } };
    });
    return new Tokens(entries);
  }

  /**
   * Who sends this `authorization` header.
   *
   * @throws SeglogError `UNAUTHENTICATED` if there is no such token.
   */
  accessOf(authorization: string | undefined): Access {
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
      throw new SeglogError(
        "UNAUTHENTICATED",
        "The server wants a token: send it as `authorization: Bearer <token>`. Nothing was done.",
      );
    }
    const digest = createHash("sha256").update(token).digest();
    let found: Access | undefined;
    // All of them, and each in constant time: how long it takes says nothing of any.
    for (const entry of this.#entries) {
      if (timingSafeEqual(digest, entry.digest)) found = entry.access;
    }
    if (found !== undefined) return found;
    throw new SeglogError(
      "UNAUTHENTICATED",
      "The server does not know the token, or not any more. Nothing was done.",
    );
  }
}

interface CheckedEntry {
  readonly name: string;
  readonly sha256: string;
  readonly rights: readonly Right[];
  readonly prefix: string;
}

function checkEntry(item: unknown, wrong: (what: string) => TypeError): CheckedEntry {
  if (!isObject(item)) throw wrong("is no object");
  const unknown = Object.keys(item).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw wrong(`has a field that is none of ${FIELDS.join(", ")}`);
  const { name, sha256, rights, prefix } = item;
  if (typeof name !== "string" || name === "") throw wrong('has no "name"');
  if (typeof sha256 !== "string" || !SHA256_HEX.test(sha256)) {
    throw wrong('has no "sha256" of 64 hexadecimal digits in lower case');
  }
  const isRight = (right: unknown): right is Right => RIGHTS.includes(right as Right);
  if (!Array.isArray(rights) || rights.length === 0 || !rights.every(isRight)) {
    throw wrong(`needs "rights": a list of some of ${RIGHTS.join(", ")}`);
  }
  if (typeof prefix !== "string") throw wrong('has no "prefix" of keys; "" is all keys');
  return { name, sha256, rights, prefix };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
