import { createHash } from "node:crypto";

/** The text of a file of tokens, in which each token is the name of its entry. */
export function tokensOf(entries: Record<string, { rights: string[]; prefix: string }>): string {
  const tokens = Object.entries(entries).map(([name, entry]) => {
    return { name, sha256: createHash("sha256").update(name).digest("hex"), ...entry };
  });
  return JSON.stringify({ tokens });
}
