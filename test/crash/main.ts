import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Durability } from "../../src/log/options.js";
import { DEFAULT_EXTENT, Explorer, type Extent, NO_TALLY, type Tally } from "./explorer.js";
import { withVirtualTime } from "./virtual-time.js";

/*
 * Tries crashes for as long as one likes: `npm run test:crash -- --help`. The same as the tests in
 * this directory, on all cores, with another seed each time.
 */

const POLICIES: readonly Durability[] = ["always", "interval", "os"];
const USAGE = `Usage: npm run test:crash -- [options]

  --states N      stop when this many states were tried (default 100000)
  --seed N        of all that is left to chance (default: another one each time)
  --depth N       crashes in a row: 1, 2 or 3 (default 2)
  --workers N     processes (default: one for each core)
  --replay PATH   go the way that a failure has printed, and nothing else
`;

interface Options extends Extent {
  readonly states: number;
  readonly seed: number;
  readonly workers: number;
}

/** What a worker tells: what it has tried since the last time, or what is wrong. */
type Message = { readonly tally: Tally } | { readonly violation: string };

function readOptions(): Options | { readonly replay: string } | undefined {
  const { values } = parseArgs({
    options: {
      states: { type: "string" },
      seed: { type: "string" },
      depth: { type: "string" },
      workers: { type: "string" },
      replay: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return undefined;
  if (values.replay !== undefined) return { replay: values.replay };
  return {
    ...DEFAULT_EXTENT,
    depth: numberOf(values.depth, DEFAULT_EXTENT.depth),
    states: numberOf(values.states, 100_000),
    seed: numberOf(values.seed, Math.floor(Math.random() * 2 ** 32)),
    workers: numberOf(values.workers, availableParallelism()),
  };
}

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new RangeError(`not a number: ${text}`);
}

/** The lives of one worker of several; it goes on until it is ended. */
async function work(seed: number, extent: Extent, first: number, stride: number): Promise<void> {
  await withVirtualTime(async (advance) => {
    for (let life = first; ; life += stride) {
      for (const durability of POLICIES) {
        const explorer = new Explorer(seed, extent, advance);
        await explorer.explore(durability, life);
        process.send!({ tally: explorer.tally } satisfies Message);
      }
    }
  });
}

/** Runs workers until there are enough states, or one of them fails. */
async function oversee(options: Options): Promise<boolean> {
  const total: Tally = { ...NO_TALLY };
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const program = fileURLToPath(import.meta.url);
  let violation: string | undefined;
  let nextReportAt = 10;
  console.log(`seed ${options.seed}, depth ${options.depth}, ${options.workers} workers`);
  const workers = Array.from({ length: options.workers }, (_, number) =>
    fork(program, ["--worker", JSON.stringify(options), String(number)]),
  );
  const endAll = () => {
    for (const worker of workers) worker.kill();
  };
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve) => {
          worker.on("message", (message: Message) => {
            if ("violation" in message) violation ??= message.violation;
            else add(total, message.tally);
            if (seconds() > nextReportAt) {
              nextReportAt = seconds() + 10;
              console.log(describe(total, seconds()));
            }
            if (violation !== undefined || total.states >= options.states) endAll();
          });
          worker.on("exit", (code, signal) => {
            if (signal === null) violation ??= `a worker ended by itself, with ${code}`;
            endAll();
            resolve();
          });
        }),
    ),
  );
  console.log(describe(total, seconds()));
  if (violation !== undefined) console.log(`VIOLATION: ${violation}`);
  return violation === undefined;
}

function add(total: Tally, tally: Tally): void {
  for (const name of Object.keys(total) as (keyof Tally)[]) total[name] += tally[name];
}

function describe({ lives, moments, states, acknowledged }: Tally, seconds: number): string {
  return (
    `${states} crash states of ${moments} moments of ${lives} lives in ${seconds.toFixed(0)} s; ` +
    `${acknowledged} acknowledged steps that had to be there`
  );
}

async function main(): Promise<boolean> {
  const options = readOptions();
  if (options === undefined) {
    console.log(USAGE);
    return true;
  }
  if (!("replay" in options)) return oversee(options);
  await withVirtualTime((advance) =>
    new Explorer(0, DEFAULT_EXTENT, advance).replay(options.replay),
  );
  console.log("No violation.");
  return true;
}

if (process.argv[2] === "--worker") {
  const options = JSON.parse(process.argv[3]!) as Options;
  work(options.seed, options, Number(process.argv[4]), options.workers).catch((error: Error) => {
    process.send!({ violation: error.message } satisfies Message, () => process.exit(1));
  });
} else {
  process.exitCode = (await main()) ? 0 : 1;
}
