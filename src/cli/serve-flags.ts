import { type Command, InvalidArgumentError, Option } from "commander";
import type { LogOptions } from "../index.js";
import type { LogLevel, ServeOptions, TlsFiles } from "../server/index.js";
import { parseInteger, parseKey, parsePath } from "./arguments.js";
import { UsageError } from "./failure.js";

const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "silent"];

/** What `seglog serve` is told to do. */
export interface ServeFlags {
  readonly listen: Address;
  readonly comlogKey?: string;
  readonly durability?: NonNullable<LogOptions["durability"]>;
  readonly compression?: NonNullable<LogOptions["compression"]>;
  readonly retentionBytes?: number;
  readonly retentionMs?: number;
  readonly store: Readonly<Record<string, number>>;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly clientAuthorities?: string;
  readonly revoked?: string;
  readonly tokens?: string;
  readonly insecure?: boolean;
  readonly origin: readonly string[];
  readonly limit: Readonly<Record<string, number>>;
  readonly logLevel: LogLevel;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Gives a command the flags of `seglog serve`. */
export function addServeFlags(command: Command): Command {
  const listen = new Option("--listen <host:port>", "where to listen; port 0 takes a free one")
    .argParser(parseAddress)
    .default({ host: "127.0.0.1", port: 50_052 }, "127.0.0.1:50052");
  const durability = new Option("--durability <policy>", "when a record counts as appended")
    .choices(["always", "interval", "os"])
    .default("always");
  const compression = new Option("--compression <codec>", "compress blocks of records")
    .choices(["none", "lz4"])
    .default("none");
  const logLevel = new Option("--log-level <level>", "how much to tell on standard error")
    .choices(LOG_LEVELS)
    .default("info");
  const origins = new Option("--origin <origin>", "take calls of web pages of this origin")
    .argParser(origin)
    .default([], "none");
  return command
    .addOption(listen)
    .option("--comlog-key <key>", "the key that ComLog's clients work on (comlog)", parseKey)
    .addOption(durability)
    .addOption(compression)
    .option("--retention-bytes <n>", "delete a key's oldest segments above this", parseInteger)
    .option("--retention-ms <n>", "delete segments whose records are all older", parseInteger)
    .addOption(numbers("--store <name=n>", "another option of the store, such as segmentBytes"))
    .option("--tls-certificate <file>", "speak TLS, with this certificate", parsePath)
    .option("--tls-key <file>", "the private key of the certificate", parsePath)
    .option("--client-authorities <file>", "ask clients for a certificate of these", parsePath)
    .option("--revoked <file>", "lists of certificates that were revoked", parsePath)
    .option("--tokens <file>", "ask callers for one of these tokens", parsePath)
    .option("--insecure", "let other machines connect without any of that")
    .addOption(origins)
    .addOption(numbers("--limit <name=n>", "a limit of the server, such as maxConnections"))
    .addOption(logLevel);
}

/** The options of the server that flags stand for. */
export function toServeOptions(flags: ServeFlags): ServeOptions {
  const { durability, compression, retentionBytes, retentionMs, store } = flags;
  const { listen, comlogKey, tokens, insecure, limit } = flags;
  return {
    ...listen,
    storeOptions: {
      ...store,
      durability,
      compression,
      retention: { bytes: retentionBytes, ms: retentionMs },
    },
    comlogKey,
    tls: tlsFiles(flags),
    tokens,
    insecure,
    origins: flags.origin,
    limits: limit,
  };
}

function tlsFiles(flags: ServeFlags): TlsFiles | undefined {
  const { tlsCertificate: certificate, tlsKey: key, clientAuthorities, revoked } = flags;
  if (certificate !== undefined && key !== undefined) {
    return { certificate, key, clientAuthorities, revoked };
  }
  if ((certificate ?? key ?? clientAuthorities ?? revoked) === undefined) return undefined;
  throw new UsageError("TLS needs both --tls-certificate and --tls-key.");
}

function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined) return { host, port: Number(match![3]) };
  throw new InvalidArgumentError("It must be host:port, such as 127.0.0.1:50052 or [::1]:50052.");
}

function origin(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** An option that may come several times, each time with a name and a number. */
function numbers(flags: string, description: string): Option {
  return new Option(flags, description).argParser(number).default({}, "none");
}

function number(text: string, before: Readonly<Record<string, number>>): Record<string, number> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be name=number.");
  return { ...before, [text.slice(0, at)]: parseInteger(text.slice(at + 1)) };
}
