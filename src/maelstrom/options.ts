import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const DURABILITIES = ["always", "interval", "os"] as const;

/** What `--help` prints. */
export const HELP = `Usage: seglog-maelstrom [--data-dir DIRECTORY] [--durability POLICY]

A node for the kafka workload of Maelstrom, on top of a seglog store. It reads
messages from standard input and answers them on standard output; everything
else, the path of its data among it, goes to standard error.

Options:
  --data-dir DIRECTORY  where the store is, made if it is not there; several
                        runs may use it one after the other
                        (default: a fresh one in the directory for temporary files)
  --durability POLICY   what a send has to wait for: always (its data is synced),
                        interval or os (its data is written) (default: always)
  --help                print this

Example:
  maelstrom test -w kafka --bin "$(command -v seglog-maelstrom)" --node-count 1 \\
    --concurrency 2n --time-limit 20 --rate 1000
`;

/** What the command line asks for. */
export interface NodeOptions {
  readonly help: boolean;
  readonly dataDirectory: string;
  readonly durability: (typeof DURABILITIES)[number];
}

/**
 * Reads the command line.
 *
 * @throws TypeError on an argument that is unknown, lacks its value or has a wrong one.
 */
export function parseOptions(args: readonly string[]): NodeOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "data-dir": { type: "string" },
      durability: { type: "string", default: "always" },
      help: { type: "boolean", default: false },
    },
  });
  const durability = DURABILITIES.find((policy) => policy === values.durability);
  if (durability === undefined) {
    const known = DURABILITIES.join(", ");
    throw new TypeError(`--durability must be one of ${known}, not '${values.durability}'`);
  }
  const dataDirectory = values["data-dir"] ?? freshDirectory();
  if (dataDirectory === "") throw new TypeError("--data-dir must name a directory");
  return { help: values.help, dataDirectory, durability };
}

/** A name that nobody can guess, so that nobody has put something there. */
function freshDirectory(): string {
  return join(tmpdir(), `seglog-maelstrom-${randomUUID()}`);
}
