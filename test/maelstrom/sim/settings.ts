import { Command, InvalidArgumentError, Option } from "commander";
import { CLIENT_TIMEOUT_MS } from "./client.js";
import { LATENCY_DISTRIBUTIONS, type LatencyDistribution } from "./latency.js";
import { ENGINES, type ProgramChoice } from "./programs.js";
import type { SimulationOptions } from "./simulation.js";

/** What the command line asks for. */
export interface Settings {
  readonly program: ProgramChoice;
  readonly simulation: Omit<SimulationOptions, "program">;
  /** Whether the naive design is run, too. */
  readonly compare: boolean;
}

interface Flags {
  readonly nodes: number;
  readonly engine: ProgramChoice["engine"];
  readonly router: boolean;
  readonly nemesis?: "partition";
  readonly nemesisInterval: number;
  readonly latency: number;
  readonly latencyDist: LatencyDistribution;
  readonly throughput?: number;
  readonly rate: number;
  readonly concurrency: (nodes: number) => number;
  readonly maxWritesPerKey: number;
  readonly timeLimit: number;
  readonly recoveryTime: number;
  readonly seed: number;
  readonly compare: boolean;
}

const EXAMPLES = `
Exits with 0 if nothing is wrong, 1 if something is, 2 if the command line is.

Examples:
  $ npm run maelstrom:sim -- --nodes 3 --engine kv --nemesis partition
  $ npm run maelstrom:sim -- --nodes 2 --engine kv --compare --seed 5
`;

/**
 * Reads the command line.
 *
 * @throws CommanderError on `--help`, and on arguments that are unknown or wrong; it is printed.
 */
export function readSettings(args: readonly string[]): Settings {
  const command = createCommand().parse([...args], { from: "user" });
  const flags = command.opts<Flags>();
  if (!flags.router && flags.engine !== "kv") {
    command.error("error: only with --engine kv can every node serve every key");
  }
  return {
    program: { engine: flags.engine, router: flags.router },
    compare: flags.compare,
    simulation: {
      nodeCount: flags.nodes,
      partitions: flags.nemesis === "partition",
      nemesisIntervalMs: flags.nemesisInterval * 1000,
      latencyMs: flags.latency,
      latencyDistribution: flags.latencyDist,
      throughput: flags.throughput,
      rate: flags.rate,
      concurrency: flags.concurrency(flags.nodes),
      writesPerKey: flags.maxWritesPerKey,
      timeLimitMs: flags.timeLimit * 1000,
      recoveryMs: flags.recoveryTime * 1000,
      finalMs: 10_000,
      clientTimeoutMs: CLIENT_TIMEOUT_MS,
      listsAfterCommit: false,
      seed: flags.seed,
    },
  };
}

function createCommand(): Command {
  return new Command("npm run maelstrom:sim --")
    .description("Runs several nodes as Maelstrom would, on a simulated network, and checks them.")
    .allowExcessArguments(false)
    .exitOverride((error) => {
      throw Object.assign(error, { exitCode: error.exitCode === 0 ? 0 : 2 });
    })
    .option("--nodes <number>", "how many nodes", integerFrom(1), 3)
    .addOption(new Option("--engine <name>", "what they are").choices(ENGINES).default("segments"))
    .option("--no-router", "every node serves every key, with --engine kv")
    .addOption(new Option("--nemesis <fault>", "what goes wrong").choices(["partition"]))
    .option("--nemesis-interval <seconds>", "how long it lasts on average", positive, 10)
    .option("--latency <ms>", "between servers, on average", integerFrom(0), 0)
    .addOption(
      new Option("--latency-dist <shape>", "how latencies are spread")
        .choices(LATENCY_DISTRIBUTIONS)
        .default("constant"),
    )
    .option("--throughput <number>", "messages per second, at most, of the network", positive)
    .option("--rate <number>", "operations per second, of all clients together", positive, 1000)
    .addOption(
      new Option("--concurrency <number>", "clients at a time; 2n is two for each node")
        .argParser(clients)
        .default((nodes: number) => 2 * nodes, "2n"),
    )
    .option("--max-writes-per-key <number>", "how long logs get", integerFrom(1), 16)
    .option("--time-limit <seconds>", "how long the clients work", positive, 20)
    .option("--recovery-time <seconds>", "how long they rest before they read all", notNegative, 10)
    .option("--seed <number>", "of all that is left to chance", integerFrom(0), chosenSeed())
    .option("--compare", "run the naive design, too, and show how many messages each needs", false)
    .addHelpText("after", EXAMPLES);
}

function chosenSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}

function clients(text: string): (nodes: number) => number {
  const [, digits, n] = /^(\d+)(n?)$/.exec(text) ?? [];
  const number = Number(digits);
  if (number >= 1) return (nodes) => (n === "n" ? number * nodes : number);
  throw new InvalidArgumentError("It must be a number from 1 on, or one with n, such as 2n.");
}

function integerFrom(minimum: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= minimum && Number.isSafeInteger(number)) return number;
    throw new InvalidArgumentError(`It must be an integer from ${minimum} on.`);
  };
}

function positive(text: string): number {
  const number = notNegative(text);
  if (number > 0) return number;
  throw new InvalidArgumentError("It must be above 0.");
}

function notNegative(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a number.");
}
