import { describe } from "../format/record-codec.js";
import { integer, MAX_TIMER_MS, refuseUnknown, requireObject } from "../option-checks.js";

/** Options of {@link connect}. */
export interface ClientOptions {
  /** Bearer token that the server knows. It is sent with every call, and told to nobody else. */
  readonly token?: string | undefined;
  /**
   * Certificates in PEM that the server's is checked against, instead of those that Node.js trusts:
   * text or bytes, not the path of a file.
   */
  readonly ca?: string | Uint8Array | undefined;
  /** This client's certificate in PEM, for servers that want one; goes with {@link key}. */
  readonly cert?: string | Uint8Array | undefined;
  /** The private key of {@link cert} in PEM. */
  readonly key?: string | Uint8Array | undefined;
  /**
   * How long a call may take, in milliseconds, with all the attempts that takes. Producers have a
   * time of their own, and consumers wait for as long as it takes. Default 10000.
   */
  readonly timeoutMs?: number | undefined;
}

/** {@link ClientOptions} and the address, checked, with every default filled in. */
export interface ResolvedClientOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly token: string | undefined;
  /** What Node.js wants to know for TLS. */
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
  };
  readonly timeoutMs: number;
}

const OPTION_NAMES: readonly (keyof ClientOptions)[] = ["token", "ca", "cert", "key", "timeoutMs"];
const PEM_NAMES = ["ca", "cert", "key"] as const;
/** What a header can hold and a bearer token consists of. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Checks an address and options, and fills in the defaults.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a value out of bounds.
 */
export function resolveClientOptions(
  url: string | URL,
  options: ClientOptions,
): ResolvedClientOptions {
  requireObject(options, "options");
  refuseUnknown(options, OPTION_NAMES, "option");
  const { token } = options;
  if (token !== undefined && (typeof token !== "string" || !TOKEN.test(token))) {
    // Its text must not show anywhere.
    throw new TypeError("token must be text of printable ASCII characters without spaces");
  }
  const tls = Object.fromEntries(
    PEM_NAMES.flatMap((name) => {
      const pem = options[name];
      return pem === undefined ? [] : [[name, pemOf(pem, name)]];
    }),
  );
  if ((options.cert === undefined) !== (options.key === undefined)) {
    throw new TypeError("cert and key go together");
  }
  const origin = originOf(url);
  if (Object.keys(tls).length > 0 && !origin.startsWith("https:")) {
    throw new TypeError(`ca, cert and key go with an https:// address, not with ${origin}`);
  }
  const timeoutMs = integer(options.timeoutMs, "timeoutMs", 1, MAX_TIMER_MS) ?? 10_000;
  return { origin, token, tls, timeoutMs };
}

function originOf(url: string | URL): string {
  if (typeof url !== "string" && !(url instanceof URL)) {
    throw new TypeError(`url must be text or a URL, not ${describe(url)}`);
  }
  const example = "such as http://127.0.0.1:50052";
  const parsed = URL.canParse(String(url)) ? new URL(url) : undefined;
  if (parsed === undefined || !["http:", "https:"].includes(parsed.protocol)) {
    throw new TypeError(`url must be an http:// or https:// address, ${example}`);
  }
  const isBare = ["", "/"].includes(parsed.pathname) && parsed.search + parsed.hash === "";
  // A password in it would show in messages.
  if (!isBare || parsed.username !== "" || parsed.password !== "") {
    throw new TypeError(`url must have a host and a port and nothing else, ${example}`);
  }
  return parsed.origin;
}

function pemOf(pem: string | Uint8Array, name: string): string | Buffer {
  const text = typeof pem === "string" || pem instanceof Uint8Array ? Buffer.from(pem) : undefined;
  if (text?.includes("-----BEGIN ") === true) return text;
  throw new TypeError(`${name} must be text or bytes in PEM, not the path of a file`);
}
