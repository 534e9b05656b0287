import { describe } from "../format/record-codec.js";
import { integer } from "../option-checks.js";
import { encodeKey } from "../store/key-directory.js";
import { LogStore, type StoreOptions } from "../store/log-store.js";
import { type ResolvedLimits, resolveLimits, type ServerLimits } from "./limits.js";
import { type ServerLogger, SILENT } from "./logging.js";
import { checkTlsFiles, type TlsFiles } from "./tls-files.js";

/** What to serve, and where. Either `directory` or `store` is needed. */
export interface ServeOptions {
  /** Directory of a store, which is made if there is none; the server closes it. */
  readonly directory?: string | undefined;
  /** How to open the store in {@link directory}. */
  readonly storeOptions?: StoreOptions | undefined;
  /** A store that is open for writing; whoever opened it closes it, after the server. */
  readonly store?: LogStore | undefined;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Default 50052; 0 takes one that is free. */
  readonly port?: number | undefined;
  /** The key that ComLog's clients work on. Default `comlog`. */
  readonly comlogKey?: string | undefined;
  /** Certificates; without them, connections are in clear text. */
  readonly tls?: TlsFiles | undefined;
  /** Path of a file of tokens; without it, whoever can connect may do everything. */
  readonly tokens?: string | undefined;
  /**
   * Whether to listen where other machines can connect also without TLS and without tokens or
   * authorities of client certificates. Default `false`.
   */
  readonly insecure?: boolean | undefined;
  /**
   * Origins of web pages that may call, such as `https://example.org`; pages of all others are
   * refused. Default: none.
   */
  readonly origins?: readonly string[] | undefined;
  /** How much the server takes upon itself. */
  readonly limits?: ServerLimits | undefined;
  /** Told what the server does: a logger of pino fits. Default: nobody is told. */
  readonly logger?: ServerLogger | undefined;
}

/** Where certificates and tokens stand; without either, anyone may do everything. */
export interface Secrets {
  readonly tls: TlsFiles | undefined;
  /** Path of a file of tokens. */
  readonly tokens: string | undefined;
}

/** {@link ServeOptions} with every default filled in and every bound checked. */
export interface ResolvedServeOptions {
  readonly source: { readonly directory: string } | { readonly store: LogStore };
  readonly storeOptions: StoreOptions;
  readonly host: string;
  readonly port: number;
  readonly comlogKey: string;
  readonly secrets: Secrets;
  readonly isInsecure: boolean;
  readonly origins: ReadonlySet<string>;
  readonly limits: ResolvedLimits;
  readonly logger: ServerLogger;
}

const NAMES: ReadonlySet<string> = new Set<keyof ServeOptions>([
  "directory",
  "storeOptions",
  "store",
  "host",
  "port",
  "comlogKey",
  "tls",
  "tokens",
  "insecure",
  "origins",
  "limits",
  "logger",
]);

/**
 * Checks options and fills in the defaults; opens nothing. Those of the store are checked when it is
 * opened.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a value out of bounds,
 *   SeglogError `INVALID_KEY` for a key that ComLog's clients could not work on.
 */
export function resolveServeOptions(options: ServeOptions): ResolvedServeOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options must be an object, not ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (NAMES.has(name)) continue;
    throw new TypeError(`Unknown option: ${describe(name)}. Known are: ${[...NAMES].join(", ")}`);
  }
  const { tls, insecure = false, origins = [], logger = SILENT } = options;
  if (tls !== undefined) checkTlsFiles(tls);
  if (typeof insecure !== "boolean") {
    throw new TypeError(`insecure must be a boolean, not ${describe(insecure)}`);
  }
  if (typeof logger?.info !== "function") {
    throw new TypeError(`logger must have debug, info and warn, not be ${describe(logger)}`);
  }
  const comlogKey = text(options.comlogKey, "comlogKey") ?? "comlog";
  encodeKey(comlogKey);
  return {
    source: resolveSource(options),
    storeOptions: options.storeOptions ?? {},
    host: text(options.host, "host") ?? "127.0.0.1",
    port: integer(options.port, "port", 0, 65_535) ?? 50_052,
    comlogKey,
    secrets: { tls, tokens: text(options.tokens, "tokens") },
    isInsecure: insecure,
    origins: resolveOrigins(origins),
    limits: resolveLimits(options.limits),
    logger,
  };
}

function resolveOrigins(origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins)) {
    throw new TypeError(`origins must be a list, not ${describe(origins)}`);
  }
  for (const origin of origins) {
    if (typeof origin === "string" && URL.canParse(origin) && new URL(origin).origin === origin) {
      continue;
    }
    throw new TypeError(
      `An origin must be a scheme, a host and perhaps a port, not ${describe(origin)}`,
    );
  }
  return new Set(origins);
}

function resolveSource({ directory, store, storeOptions }: ServeOptions) {
  if ((directory === undefined) === (store === undefined)) {
    throw new TypeError("Say what to serve: either a directory or a store");
  }
  if (store === undefined) return { directory: directory! };
  if (!(store instanceof LogStore)) {
    throw new TypeError(`store must be a LogStore, not ${describe(store)}`);
  }
  if (storeOptions !== undefined) throw new TypeError("storeOptions go with a directory");
  return { store };
}

function text(value: string | undefined, name: string): string | undefined {
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw new TypeError(`${name} must be text that is not empty, not ${describe(value)}`);
}
