/** Writes a JSON value as Maelstrom does in the texts of its errors: the way Clojure prints it. */
export function clojureText(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return `[${value.map(clojureText).join(" ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)} ${clojureText(member)}`,
  );
  return `{${members.join(", ")}}`;
}
