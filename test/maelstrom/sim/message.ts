import type { Body } from "../history.js";

/** A message of the network, as it is on the wire. */
export interface Message {
  readonly src: string;
  readonly dest: string;
  readonly body: Body;
}

/** The names of the services; all other participants are nodes or clients. */
export const SERVICE_NAMES = ["lin-kv", "seq-kv", "lww-kv"] as const;

/** Whether a participant is a client; Maelstrom, too, tells them by their first letter. */
export function isClient(name: string): boolean {
  return name.startsWith("c");
}

/** Whether a participant is one of the services. */
export function isService(name: string): boolean {
  return (SERVICE_NAMES as readonly string[]).includes(name);
}

/** Reads a line that a node wrote; returns what is wrong with it if it is no message. */
export function parseMessage(line: string): Message | { readonly fault: string } {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return { fault: "it is not JSON" };
  }
  if (!isObject(message)) return { fault: "it is no object" };
  const { src, dest, body } = message;
  if (typeof src !== "string") return { fault: "src is no string" };
  if (typeof dest !== "string") return { fault: "dest is no string" };
  if (!isObject(body)) return { fault: "body is no object" };
  if (typeof body.type !== "string") return { fault: "its type is no string" };
  return { src, dest, body: body as Body };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
