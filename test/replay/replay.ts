import { History } from "../maelstrom/history.js";
import { checkKafkaHistory } from "../maelstrom/kafka-checker.js";
import { KafkaClient } from "../maelstrom/kafka-client.js";
import { NodeProcess } from "../maelstrom/node-process.js";
import type { Verdict } from "../maelstrom/verdict.js";
import { Player } from "./player.js";
import type { RecordedMessage } from "./recording.js";

/** A node answers a poll with at most so many messages of a key. */
const MAX_MESSAGES_PER_KEY = 20;

/** How a replay went. */
export interface ReplayResult {
  readonly verdict: Verdict;
  /** How long the recorded messages took, in milliseconds. */
  readonly playedMs: number;
  /** The most requests that waited for an answer at the same time. */
  readonly inFlight: number;
  /** What is wrong beside the answers: one sentence each. */
  readonly complaints: readonly string[];
}

/**
 * Plays a recording to a node on an empty `dataDirectory`, ends it, starts another on the same
 * directory, reads everything back through that one, and checks all answers of both.
 *
 * @param program - Path of the node program.
 * @param noProgressMs - No answer for so long means that the node stands still.
 * @throws Error if a node does not answer.
 */
export async function replay(
  messages: readonly RecordedMessage[],
  program: string,
  dataDirectory: string,
  noProgressMs = 30_000,
): Promise<ReplayResult> {
  const history = new History();
  const complaints: string[] = [];
  let playedMs = 0;
  let inFlight = 0;
  const run = { program, dataDirectory, noProgressMs, complaints };

  await withNode(run, async (node) => {
    const player = new Player(node, history, noProgressMs);
    const start = performance.now();
    await player.play(messages);
    playedMs = performance.now() - start;
    inFlight = player.highWater;
  });
  await withNode(run, async (node) => {
    await node.init();
    const reader = new KafkaClient("reader", (name, body) => node.request(name, body), history);
    await withTimeout(reader.readAll(sentKeys(messages)), noProgressMs);
  });

  const verdict = checkKafkaHistory(history, { maxMessagesPerKey: MAX_MESSAGES_PER_KEY });
  if (verdict.unseen > 0) complaints.push(`${verdict.unseen} messages could not be read back`);
  if (verdict.refused > 0) complaints.push(`${verdict.refused} requests were refused`);
  return { verdict, playedMs, inFlight, complaints };
}

/** The keys that a recording sends to. */
export function sentKeys(messages: readonly RecordedMessage[]): string[] {
  const sends = messages.filter(({ body }) => body.type === "send");
  return [...new Set(sends.map(({ body }) => String(body.key)))];
}

interface NodeRun {
  readonly program: string;
  readonly dataDirectory: string;
  readonly noProgressMs: number;
  readonly complaints: string[];
}

/** Runs a node for as long as `use` takes, and complains if it does not end as it should. */
async function withNode(run: NodeRun, use: (node: NodeProcess) => Promise<void>): Promise<void> {
  const { program, dataDirectory, noProgressMs, complaints } = run;
  const node = new NodeProcess(program, ["--data-dir", dataDirectory]);
  try {
    await use(node);
    const { code, signal } = await withTimeout(node.end(), noProgressMs);
    if (code !== 0) complaints.push(`the node ended with ${code ?? signal}`);
    const [stray] = node.strayLines;
    if (stray !== undefined) complaints.push(`not an answer to anything: ${stray.slice(0, 200)}`);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`${message}; the node's log: ${node.log.trim()}`, { cause });
  } finally {
    await node.kill();
  }
}

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const tooLong = new Error(`the node stands still since ${timeoutMs} ms`);
    timer = setTimeout(() => reject(tooLong), timeoutMs);
  });
  return await Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}
