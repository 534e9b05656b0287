const encoder = new TextEncoder();

/** Text in UTF-8, and not as a `Buffer`. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}
