/** A JSON value that is kept as text; see `memberText` for why. */
export class JsonText {
  /** The value, on one line. */
  readonly text: string;

  /** @param text - One JSON value. */
  constructor(text: string) {
    // Between the tokens of a value, line breaks are white space, and inside of a string JSON has
    // none. A message must stay on its line.
    this.text = /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, " ") : text;
  }
}

/** A value that can be part of a message. An object whose keys are data is best given as a map. */
export type Json =
  | boolean
  | number
  | string
  | null
  | JsonText
  | readonly Json[]
  | ReadonlyMap<string, Json>
  | { readonly [name: string]: Json };

/** Writes a value as JSON, on one line, the members of maps in the maps' order. */
export function encodeJson(value: Json): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (value instanceof JsonText) return value.text;
  if (value instanceof Map) return encodeMembers(value);
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(",")}]`;
  return encodeMembers(Object.entries(value));
}

/** Writes members as a JSON object. */
export function encodeMembers(members: Iterable<readonly [string, Json]>): string {
  const texts = Array.from(
    members,
    ([name, value]) => `${JSON.stringify(name)}:${encodeJson(value)}`,
  );
  return `{${texts.join(",")}}`;
}

/** Whether a parsed value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
