import type { Command } from "commander";
import type { SeglogClient } from "../client/index.js";
import { parsePath } from "./arguments.js";
import { UsageError } from "./failure.js";
import { readSmallFile } from "./input.js";

/** How a command reaches a server instead of a directory. */
export interface RemoteFlags {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
}

/** Longest token or list of certificates. */
const MAX_SECRET_BYTES = 1024 * 1024;

/** Adds the flags for a server to a command that also works on a directory. */
export function addRemoteFlags(command: Command): Command {
  return command
    .option("--url <url>", "the store of a server, such as http://127.0.0.1:50052, not <dir>")
    .option("--token-file <file>", "file with the token for the server", parsePath)
    .option("--ca <file>", "certificates in PEM to check the server's against", parsePath);
}

/**
 * The directory that a command is about; `undefined` if it is about a server.
 *
 * @throws UsageError for neither or both.
 */
export function directoryOf(directory: string | undefined, flags: RemoteFlags): string | undefined {
  if (flags.url !== undefined) {
    if (directory === undefined) return undefined;
    throw new UsageError("Give either <dir> or --url, not both.");
  }
  const name = flags.tokenFile === undefined ? "--ca" : "--token-file";
  if (flags.tokenFile ?? flags.ca) throw new UsageError(`${name} goes with --url.`);
  if (directory !== undefined) return directory;
  throw new UsageError("missing required argument 'dir', or --url");
}

/** The key of a command that needs one on a server. */
export function requireKey(key: string | undefined): string {
  if (key !== undefined) return key;
  throw new UsageError("A server has a store: say which log with --key.");
}

/** Connects to the server of `--url`. Its code is loaded only here. */
export async function connectRemote({ url, tokenFile, ca }: RemoteFlags): Promise<SeglogClient> {
  const options = {
    token: tokenFile === undefined ? undefined : (await secret(tokenFile)).toString().trim(),
    ca: ca === undefined ? undefined : await secret(ca),
  };
  const { connect } = await import("../client/index.js");
  try {
    return await connect(url!, options);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

function secret(path: string): Promise<Buffer> {
  return readSmallFile(path, MAX_SECRET_BYTES);
}
