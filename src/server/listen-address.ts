import { lookup } from "node:dns/promises";
import { BlockList } from "node:net";
import { SeglogError } from "../errors.js";

/** What protects a server from whoever can reach its port. */
export interface Protection {
  /** Whether nobody can listen in. */
  readonly isEncrypted: boolean;
  /** Whether a caller has to show a token or a certificate. */
  readonly isAuthenticated: boolean;
  /** Whether the operator said that it needs no protection there. */
  readonly isInsecure: boolean;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/**
 * The address of a host's name.
 *
 * @throws SeglogError `IO_ERROR` if it has none.
 */
export async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    throw new SeglogError(
      "IO_ERROR",
      `Cannot listen on ${host}: ${cause.code ?? cause.message}. Name an address of this machine.`,
      { cause },
    );
  }
}

/** Whether only this machine reaches an address. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, address.includes(":") ? "ipv6" : "ipv4");
}

/** @throws RangeError if others could reach the address of a server that is not protected. */
export function assertProtected(address: string, protection: Protection): void {
  const { isEncrypted, isAuthenticated, isInsecure } = protection;
  if (isLoopback(address) || isInsecure || (isEncrypted && isAuthenticated)) return;
  const missing = isEncrypted
    ? "anybody who reaches it could read and write everything: it needs tokens, or authorities " +
      "of client certificates"
    : isAuthenticated
      ? "tokens would travel in clear text: it needs TLS"
      : "anybody who reaches it could read and write everything: it needs TLS and tokens";
  throw new RangeError(
    `Other machines can reach ${address}, and ${missing}. ` +
      "Listen on 127.0.0.1, or say that it is meant so (insecure).",
  );
}
