/** How much of a line that cannot be answered is shown in the log. */
const SHOWN_CHARACTERS = 120;

/** Quotes the beginning of text that may come from anywhere, see {@link show}. */
export function shorten(text: string, characters = SHOWN_CHARACTERS): string {
  return show(text.length > characters ? `${text.slice(0, characters)}…` : text);
}

/** Quotes text that may come from anywhere, all but plain ASCII escaped. */
export function show(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
