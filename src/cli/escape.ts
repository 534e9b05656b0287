/**
 * Characters that a terminal obeys or hides instead of showing: control characters (C0, DEL, C1),
 * bidirectional and zero-width ones (both "format" to Unicode), separators of lines, and lone
 * surrogates.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Makes text safe to print: `\n`, `\x1b`, `\u{202e}`. A backslash stays as it is, so that JSON in a
 * record stays JSON; the result is for reading, not for turning back.
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    const hex = code.toString(16);
    return SHORT.get(character) ?? (code < 0x80 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`);
  });
}

/** As {@link escapeText} for bytes: what is not UTF-8 becomes `\xff`. */
export function escapeBytes(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return escapeText(text);
  let result = "";
  let start = 0;
  while (start < bytes.length) {
    let length = Math.min(sequenceLength(bytes[start]!), bytes.length - start);
    let part = decodeUtf8(bytes.subarray(start, start + length));
    if (part === undefined) {
      part = `\\x${bytes[start]!.toString(16).padStart(2, "0")}`;
      length = 1;
      result += part;
    } else {
      result += escapeText(part);
    }
    start += length;
  }
  return result;
}

/** The text that bytes stand for, or `undefined` if they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** How long the UTF-8 sequence is that begins with this byte. */
function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** `JSON.stringify`, with everything unsafe as `\u` escapes: any parser gives the very text back. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNSAFE, (character) => {
    // Line ends of the indentation stand outside of strings; those inside are escaped already.
    if (character === "\n") return character;
    let escaped = "";
    for (let index = 0; index < character.length; index++) {
      escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
