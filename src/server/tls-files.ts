import { createSecureContext, type SecureContextOptions } from "node:tls";
import { describe } from "../format/record-codec.js";
import { readGivenFile, readSecretFile } from "./secret-files.js";

/** Files in PEM format, by their paths. They are read again by `reload()`. */
export interface TlsFiles {
  /** The server's certificate, and behind it those between it and its authority. */
  readonly certificate: string;
  /** The private key of the certificate, unencrypted. Others must not be able to read it. */
  readonly key: string;
  /** Authorities of client certificates. With it, a client must show one. */
  readonly clientAuthorities?: string | undefined;
  /**
   * Revoked client certificates: one list for each of the authorities. A list that has expired
   * makes every certificate of its authority invalid.
   */
  readonly revoked?: string | undefined;
}

const NAMES: readonly (keyof TlsFiles)[] = ["certificate", "key", "clientAuthorities", "revoked"];
const REVOCATION_LIST = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g;

/** @throws TypeError for paths that are missing or no text, or that contradict each other. */
export function checkTlsFiles(files: TlsFiles): void {
  if (typeof files !== "object" || files === null) {
    throw new TypeError(`tls must be an object, not ${describe(files)}`);
  }
  for (const name of Object.keys(files)) {
    if ((NAMES as readonly string[]).includes(name)) continue;
    throw new TypeError(`Unknown option of tls: ${describe(name)}. Known are: ${NAMES.join(", ")}`);
  }
  for (const name of NAMES) {
    const path = files[name];
    if (path === undefined && name !== "certificate" && name !== "key") continue;
    if (typeof path === "string" && path !== "") continue;
    throw new TypeError(`tls.${name} must be the path of a file, not ${describe(path)}`);
  }
  if (files.revoked !== undefined && files.clientAuthorities === undefined) {
    throw new TypeError("tls.revoked needs tls.clientAuthorities, whose certificates it revokes");
  }
}

/**
 * Reads certificates and key, and tries whether they go together.
 *
 * @throws SeglogError `FILE_ACCESS`, `IO_ERROR`, `UNSAFE_PATH`; TypeError if they cannot be used.
 */
export async function readTlsFiles(files: TlsFiles): Promise<SecureContextOptions> {
  const { certificate, key, clientAuthorities, revoked } = files;
  const context: SecureContextOptions = {
    minVersion: "TLSv1.2",
    cert: await readGivenFile(certificate),
    key: await readSecretFile(key),
    ...(clientAuthorities !== undefined && { ca: await readGivenFile(clientAuthorities) }),
    ...(revoked !== undefined && { crl: splitLists(await readGivenFile(revoked), revoked) }),
  };
  try {
    createSecureContext(context);
  } catch (error) {
    const paths = [certificate, key, clientAuthorities, revoked].filter((path) => path);
    throw new TypeError(`${paths.join(", ")} cannot be used for TLS: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return context;
}

/** Of several lists in one text, Node would take the first. */
function splitLists(file: Buffer, path: string): string[] {
  const lists = file.toString("latin1").match(REVOCATION_LIST);
  if (lists === null) throw new TypeError(`${path} holds no revocation list in PEM format`);
  return [...lists];
}
