const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/**
 * The value of a member of a JSON object as it was written, character for character. A value that
 * goes through `JSON.parse` comes back changed where a number does not fit into a double, and a
 * log must give back what it was given.
 *
 * @param objectText - The text of one JSON object, which `JSON.parse` has accepted.
 * @returns `undefined` if there is no such member. Of several, the last counts, as in `JSON.parse`.
 */
export function memberText(objectText: string, name: string): string | undefined {
  let found: string | undefined;
  let position = skipSpace(objectText, skipSpace(objectText, 0) + 1);
  while (objectText.charCodeAt(position) === QUOTE) {
    const nameEnd = skipString(objectText, position);
    const memberName: unknown = JSON.parse(objectText.slice(position, nameEnd));
    const colon = skipSpace(objectText, nameEnd);
    const start = skipSpace(objectText, colon + 1);
    const end = skipValue(objectText, start);
    if (memberName === name) found = objectText.slice(start, end);
    position = skipSpace(objectText, end);
    if (objectText.charCodeAt(position) === COMMA) position = skipSpace(objectText, position + 1);
  }
  return found;
}

/** Each of these takes the position at which something begins and returns the one behind it. */
function skipSpace(text: string, start: number): number {
  let position = start;
  while (isSpace(text.charCodeAt(position))) position++;
  return position;
}

function skipString(text: string, start: number): number {
  let quote = start;
  do {
    quote = text.indexOf('"', quote + 1);
  } while (isEscaped(text, quote));
  return quote + 1;
}

function isEscaped(text: string, position: number): boolean {
  let first = position;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (position - first) % 2 === 1;
}

function skipValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return skipString(text, start);
  if (first === "{" || first === "[") return skipNested(text, start);
  let position = start;
  while (position < text.length && !endsScalar(text.charCodeAt(position))) position++;
  return position;
}

/** Counts brackets instead of calling itself: how deep a value is nested is the sender's choice. */
function skipNested(text: string, start: number): number {
  let depth = 0;
  let position = start;
  do {
    const character = text[position];
    if (character === '"') {
      position = skipString(text, position);
      continue;
    }
    if (character === "{" || character === "[") depth++;
    if (character === "}" || character === "]") depth--;
    position++;
  } while (depth > 0);
  return position;
}

function endsScalar(code: number): boolean {
  return code === COMMA || code === 0x7d || code === 0x5d || isSpace(code);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}
