import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";

/** Longest name of a key's directory; common file systems allow 255 bytes. */
export const MAX_DIRECTORY_NAME_BYTES = 240;

/** Device names of Windows, which no file there may have. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;
const PLAIN = /^[a-z0-9_-]$/;

/**
 * The name of the directory for a key. Lower-case letters, digits, `_` and `-` stand for
 * themselves; everything else, upper case too, is percent-encoded as UTF-8 with lower-case digits.
 * Different keys get different names, also where a file system ignores case.
 *
 * @throws TypeError unless it is a string. SeglogError `INVALID_KEY` if it is empty, has a lone
 *   surrogate, or gets a name of more than {@link MAX_DIRECTORY_NAME_BYTES}.
 */
export function encodeKey(key: string): string {
  if (typeof key !== "string") throw new TypeError(`A key must be a string, not ${describe(key)}`);
  if (key === "") throw invalid("A key must not be empty.");
  if (!key.isWellFormed()) {
    throw invalid(`The key ${describe(key)} contains a lone surrogate. Use well-formed text.`);
  }
  let name = "";
  for (const byte of Buffer.from(key, "utf8")) {
    const character = String.fromCharCode(byte);
    name += byte < 0x80 && PLAIN.test(character) ? character : percent(byte);
  }
  if (RESERVED.test(name)) name = percent(name.charCodeAt(0)) + name.slice(1);
  if (name.length > MAX_DIRECTORY_NAME_BYTES) {
    throw invalid(
      `The key ${describe(key)}… is too long: its directory would have a name of ${name.length} ` +
        `bytes, and ${MAX_DIRECTORY_NAME_BYTES} are allowed. Other characters than lower-case ` +
        "letters, digits, _ and - take 3 bytes each.",
    );
  }
  return name;
}

/** The key of a directory, or `undefined` for a name that {@link encodeKey} does not make. */
export function decodeKey(name: string): string | undefined {
  if (!/^(?:[a-z0-9_-]|%[0-9a-f]{2})+$/.test(name)) return undefined;
  try {
    const key = decodeURIComponent(name);
    return encodeKey(key) === name ? key : undefined;
  } catch {
    return undefined;
  }
}

function percent(byte: number): string {
  return `%${byte.toString(16).padStart(2, "0")}`;
}

function invalid(message: string): SeglogError {
  return new SeglogError("INVALID_KEY", message);
}
