// Plays recorded traffic of a real Maelstrom run through the built node, checks every answer, and
// shows what it left on disk. Exits with 0 if all was right. Run by `npm start`.

import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readRecording } from "./recording.js";
import { type ReplayResult, replay, sentKeys } from "./replay.js";

/** Compiled, this file stands in .build/test/replay. */
const ROOT = new URL("../../../", import.meta.url);
const RECORDING = fileURLToPath(new URL("fixtures/maelstrom/single-node.requests.ndjson", ROOT));
const NODE_PROGRAM = fileURLToPath(new URL("dist/maelstrom/main.js", ROOT));
const COMMAND_LINE = fileURLToPath(new URL("dist/cli/main.js", ROOT));

const SHOWN_ANOMALIES = 20;
const SHOWN_KEYS = 10;

process.exitCode = await main();

async function main(): Promise<number> {
  const messages = readRecording(RECORDING);
  const directory = mkdtempSync(join(tmpdir(), "seglog-replay-"));
  console.log(`Playing ${count(messages.length)} messages of a recorded Maelstrom run to`);
  console.log(`seglog-maelstrom --data-dir ${directory}`);
  console.log();
  const result = await replay(messages, NODE_PROGRAM, directory).catch((error: Error) => error);
  if (result instanceof Error) {
    console.log(`INVALID: ${result.message}`);
    return 1;
  }
  report(result, messages.length, sentKeys(messages).length);
  console.log();
  console.log(`$ seglog inspect ${directory}`);
  const inspect = spawnSync(process.execPath, [COMMAND_LINE, "inspect", directory], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  console.log(withFewKeys(inspect.stdout));
  if (inspect.status !== 0) console.log(`inspect ended with ${inspect.status ?? inspect.signal}`);
  const valid = result.verdict.anomalies.length === 0 && result.complaints.length === 0;
  console.log(valid ? "VALID: every answer kept the workload's rules." : "INVALID: see above.");
  return valid && inspect.status === 0 ? 0 : 1;
}

/** The first rows of the table of keys, and how many there are besides. */
function withFewKeys(inspected: string): string {
  const lines = inspected.split("\n");
  const shown = lines.findIndex((line) => line.startsWith("key ")) + 1 + SHOWN_KEYS;
  // The last line is empty.
  const more = lines.length - 1 - shown;
  return more <= 0 ? inspected : [...lines.slice(0, shown), `… ${more} more keys`, ""].join("\n");
}

/** Prints how it went. */
function report(result: ReplayResult, messages: number, keys: number): void {
  const { verdict, playedMs, inFlight, complaints } = result;
  const { anomalies } = verdict;
  const seconds = (playedMs / 1000).toFixed(2);
  const rate = count(Math.round((messages / playedMs) * 1000));
  console.log(`${count(messages)} answers in ${seconds} s: ${rate} a second, each send synced`);
  console.log(`  ${count(inFlight)} requests in flight at most`);
  console.log(`  ${count(verdict.acknowledged)} sends to ${count(keys)} keys acknowledged`);
  console.log(`  ${count(verdict.unseen)} of them missing after a restart of the node`);
  console.log(`  ${count(verdict.polled)} messages polled`);
  console.log(`  ${count(anomalies.length)} anomalies`);
  for (const { kind, key, detail } of anomalies.slice(0, SHOWN_ANOMALIES)) {
    console.log(`    ${kind}, key ${JSON.stringify(key)}: ${detail}`);
  }
  for (const complaint of complaints) console.log(`  ${complaint}`);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
