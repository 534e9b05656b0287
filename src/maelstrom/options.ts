import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const DURABILITIES = ["always", "interval", "os"] as const;
const ENGINES = ["segments", "kv"] as const;

/** What `--help` prints. */
export const HELP = `Usage: seglog-maelstrom [options]

A node for the kafka workload of Maelstrom, alone or one of several. It reads
messages from standard input and answers them on standard output; everything
else, the path of its data among it, goes to standard error.

Options:
  --engine ENGINE       where messages are kept: segments (in a seglog store on
                        this node's disk) or kv (in Maelstrom's lin-kv)
                        (default: segments)
  --no-router           serve all keys here, instead of each key by the one node
                        that owns it; with --engine kv only
  --data-dir DIRECTORY  where the store is, made if it is not there; nodes of
                        several have theirs below, in directories of their own;
                        several runs may use it one after the other
                        (default: a fresh one in the directory for temporary files)
  --durability POLICY   what a send has to wait for: always (its data is synced),
                        interval or os (its data is written) (default: always)
  --help                print this

Example:
  maelstrom test -w kafka --bin "$(command -v seglog-maelstrom)" --node-count 2 \\
    --concurrency 2n --time-limit 20 --rate 1000
`;

/** Messages in files of this node's own. */
interface SegmentsEngine {
  readonly name: "segments";
  readonly dataDirectory: string;
  readonly durability: (typeof DURABILITIES)[number];
}

/** Messages in a key-value store that all nodes share. */
interface KvEngine {
  readonly name: "kv";
  /** Options that were given and that have no meaning here, since nothing is kept on disk. */
  readonly unused: readonly string[];
}

/** What the command line asks for. */
export interface NodeOptions {
  readonly help: boolean;
  readonly engine: SegmentsEngine | KvEngine;
  /** Whether each key is served by its owner alone. */
  readonly isRouted: boolean;
}

/**
 * Reads the command line.
 *
 * @throws TypeError on an argument that is unknown, lacks its value or has a wrong one, or that
 *   does not go together with another.
 */
export function parseOptions(args: readonly string[]): NodeOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: "string", default: "segments" },
      "no-router": { type: "boolean", default: false },
      "data-dir": { type: "string" },
      durability: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const name = oneOf(ENGINES, "--engine", values.engine);
  const isRouted = !values["no-router"];
  const durability = oneOf(DURABILITIES, "--durability", values.durability ?? "always");
  if (values["data-dir"] === "") throw new TypeError("--data-dir must name a directory");
  const { help } = values;
  if (name === "kv") {
    const unused = (["data-dir", "durability"] as const).filter((option) => option in values);
    return { help, engine: { name, unused }, isRouted };
  }
  if (!isRouted) {
    const reason = "with segments, what one node keeps is not there for the others";
    throw new TypeError(`--no-router needs --engine kv: ${reason}`);
  }
  const dataDirectory = values["data-dir"] ?? freshDirectory();
  return { help, engine: { name, dataDirectory, durability }, isRouted };
}

function oneOf<Known extends string>(
  known: readonly Known[],
  option: string,
  given: string,
): Known {
  const found = known.find((name) => name === given);
  if (found !== undefined) return found;
  throw new TypeError(`${option} must be one of ${known.join(", ")}, not '${given}'`);
}

/** A name that nobody can guess, so that nobody has put something there. */
function freshDirectory(): string {
  return join(tmpdir(), `seglog-maelstrom-${randomUUID()}`);
}
