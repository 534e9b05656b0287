#!/usr/bin/env node
import { kvEngine, openSegments } from "./engines.js";
import { toMaelstromError } from "./failure.js";
import { KafkaWorkload } from "./kafka-workload.js";
import { HELP, type NodeOptions, parseOptions } from "./options.js";
import { Router } from "./router/router.js";
import { MaelstromNode } from "./runtime/maelstrom-node.js";

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
async function serve({ engine, isRouted }: NodeOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());
  if (engine.name === "kv") {
    for (const option of engine.unused) log(`--${option} is not used: kv keeps nothing on disk`);
  }
  await using opened = engine.name === "kv" ? kvEngine() : await openSegments(engine, log);
  const node = new MaelstromNode({
    start: (network) => {
      const { logs, group } = opened.start(network, isRouted);
      const { handlers } = new KafkaWorkload(logs, group);
      if (!isRouted) return handlers;
      const { mayServeAll } = opened;
      return new Router(network, handlers, { mayServeAll, toError: toMaelstromError }).handlers;
    },
    output: process.stdout,
    log,
    toError: toMaelstromError,
  });
  await node.run(process.stdin, stop.signal);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// A reader that goes away is no reason to end with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));
