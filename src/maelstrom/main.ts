#!/usr/bin/env node
import { LogStore } from "../index.js";
import { KafkaWorkload } from "./kafka-workload.js";
import { MaelstromNode } from "./maelstrom-node.js";
import { HELP, type NodeOptions, parseOptions } from "./options.js";

/** The consumer group in which the workload's committed offsets are kept. */
const GROUP = "maelstrom";

function log(line: string): void {
  process.stderr.write(`seglog-maelstrom: ${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  let options: NodeOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    log(`${messageOf(error)}\nTry --help.`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    await serve(options);
    return 0;
  } catch (error) {
    log(messageOf(error));
    return 1;
  }
}

/** Answers requests until standard input ends or a signal asks for the end. */
async function serve({ dataDirectory, durability }: NodeOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
  const onError = (error: Error) => log(messageOf(error));
  const store = await LogStore.open(dataDirectory, { durability, onError });
  try {
    log(`data in ${dataDirectory}`);
    const { handlers } = new KafkaWorkload(store, store.group(GROUP));
    const node = new MaelstromNode({ handlers, output: process.stdout, log });
    await node.run(process.stdin, stop.signal);
  } finally {
    await store.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// A reader that goes away is no reason to end with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));
