import { SeglogError } from "../errors.js";
import { escapeText } from "./escape.js";

/** Bad use of the command line that the parser cannot notice by itself. */
export class UsageError extends Error {}

/** Where the library's messages tell a programmer what to call, a person is told what to type. */
const ADVICE: readonly (readonly [library: string, commandLine: string])[] = [
  [
    "Close it there, or open it here with { readOnly: true }.",
    "Wait for it, or stop it. cat, inspect, dump, verify and offsets work beside it.",
  ],
  [
    "Open the store with LogStore.open(), or this log with { readOnly: true }.",
    "Give the store's directory and --key.",
  ],
  [
    "Give this user access, or open with { readOnly: true } if reading is enough.",
    "Check the owner and the permissions of that path.",
  ],
  ["is a store of several logs: open it with LogStore.open().", "is a store: give a --key."],
  ["is a single log: open it with CommitLog.open().", "is a single log: leave --key out."],
  ["Check the path, or open it for writing to make one.", "Check the path."],
  ["deleteBefore takes at most the end offset", "--before takes at most the end offset"],
  [
    "Listen on 127.0.0.1, or say that it is meant so (insecure).",
    "Listen on 127.0.0.1; or give --tls-certificate and --tls-key, and --tokens or " +
      "--client-authorities; or --insecure to let them.",
  ],
  ["check the server's against (ca)", "check the server's against (--ca)"],
];

/** The line on standard error for a failure: `seglog: CODE: message`. */
export function failureLine(error: unknown): string {
  return `seglog: ${codeOf(error)}: ${escapeText(messageOf(error))}\n`;
}

function codeOf(error: unknown): string {
  if (error instanceof SeglogError) return error.code;
  if (error instanceof UsageError) return "USAGE";
  // The options of the library are checked there, and its complaints are about what was typed.
  if (error instanceof RangeError) return "USAGE";
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "INTERNAL";
}

function messageOf(error: unknown): string {
  let message = error instanceof Error ? error.message : String(error);
  for (const [library, commandLine] of ADVICE) message = message.replace(library, commandLine);
  return message;
}
