import { isIP } from "node:net";
import type { NodeRequest } from "./listener.js";

/**
 * Whether a request names its host by an address or by one of the names. A page of a host whose
 * name was made to lead to this machine names that host, also where its browser tells no origin.
 *
 * @param names - In lower case.
 */
export function isCalledBy(names: ReadonlySet<string>, { headers }: NodeRequest): boolean {
  const host = headers[":authority"] ?? headers.host;
  // Browsers always tell.
  if (typeof host !== "string") return true;
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return isIP(hostname.replace(/^\[|\]$/g, "")) !== 0 || names.has(hostname.replace(/\.$/, ""));
}
