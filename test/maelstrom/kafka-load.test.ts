import { describe, expect, it } from "vitest";
import { History } from "./history.js";
import { checkKafkaHistory } from "./kafka-checker.js";
import { KafkaLoad } from "./kafka-load.js";
import { RestartingNode } from "./restarting-node.js";
import { temporaryDirectory } from "./temporary.js";

const KEYS = ["1", "2", "k1", "__proto__", "constructor", "../a/b", "UPPER", "ключ 🔑"];

/** `SEGLOG_SEED=5 npx vitest …` runs one other seed instead of these. */
const SEEDS = process.env.SEGLOG_SEED ? [Number(process.env.SEGLOG_SEED)] : [1, 2];

interface Load {
  readonly seed: number;
  readonly clients: number;
  readonly stepsPerClient: number;
  /** How often the node is killed while the clients are at it. */
  readonly kills: number;
}

/** Runs a load on a node that may be killed, reads everything from a last one, checks it all. */
async function runLoad({ kills, ...load }: Load) {
  const history = new History();
  const node = await RestartingNode.start(temporaryDirectory());
  const clients = new KafkaLoad({ ...load, keys: KEYS }, node.ask, history);
  // Of all requests, the share after which the last kill comes: the clients outlive it.
  const requests = load.clients * load.stepsPerClient * 0.7;
  await Promise.all([clients.run(), node.killWhileBusy(kills, requests, load.seed)]);
  await node.restart();
  await clients.readAll();
  await node.end();
  return checkKafkaHistory(history, { maxMessagesPerKey: 20 });
}

describe.each(SEEDS)("concurrent clients, seed %d", (seed) => {
  it("find nothing wrong", async () => {
    const verdict = await runLoad({ seed, clients: 12, stepsPerClient: 150, kills: 0 });
    expect(verdict).toMatchObject({ anomalies: [], refused: 0, unanswered: 0, unseen: 0 });
    expect(verdict.acknowledged).toBeGreaterThan(500);
  });

  it("find nothing wrong with a node that is killed again and again", async () => {
    const verdict = await runLoad({ seed, clients: 12, stepsPerClient: 150, kills: 10 });
    expect(verdict).toMatchObject({ anomalies: [], refused: 0, unseen: 0 });
    expect(verdict.acknowledged).toBeGreaterThan(500);
  });
});
