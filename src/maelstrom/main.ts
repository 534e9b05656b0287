#!/usr/bin/env node
import { kvEngine, type StartedEngine, segmentsEngine } from "./engines.js";
import { toMaelstromError } from "./failure.js";
import { KafkaWorkload } from "./kafka-workload.js";
import { HELP, type NodeOptions, parseOptions } from "./options.js";
import { answeredInTime } from "./router/in-time.js";
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
  const { mayServeAll, start } = engine.name === "kv" ? kvEngine() : segmentsEngine(engine, log);
  let started: StartedEngine | undefined;
  const node = new MaelstromNode({
    start: async (network) => {
      started = await start(network, isRouted);
      const { handlers } = new KafkaWorkload(started.logs, started.group);
      // A node that keeps everything itself never waits for anybody.
      if (network.nodeIds.length === 1 && !mayServeAll) return handlers;
      const routing = { mayServeAll, onReplaced: started.onReplaced, toError: toMaelstromError };
      const routed = isRouted ? new Router(network, handlers, routing).handlers : handlers;
      return answeredInTime(routed, toMaelstromError);
    },
    output: process.stdout,
    log,
    toError: toMaelstromError,
  });
  try {
    await node.run(process.stdin, stop.signal);
  } finally {
    await started?.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// A reader that goes away is no reason to end with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));
