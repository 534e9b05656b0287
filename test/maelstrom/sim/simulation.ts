import { setTimeout as sleep } from "node:timers/promises";
import { History } from "../history.js";
import { checkKafkaHistory } from "../kafka-checker.js";
import { Random } from "../random.js";
import type { Verdict } from "../verdict.js";
import { Client, type ClientSurroundings } from "./client.js";
import { Cluster, type NodeProgram } from "./cluster.js";
import type { LatencyDistribution } from "./latency.js";
import { Nemesis } from "./nemesis.js";
import { Network } from "./network.js";
import { joinServices } from "./services/join-services.js";
import { Tally } from "./tally.js";
import type { MessageCounts } from "./traffic.js";
import { Workers } from "./workers.js";
import { Workload } from "./workload.js";

/** What a run is made of. */
export interface SimulationOptions {
  readonly program: NodeProgram;
  readonly nodeCount: number;
  readonly partitions: boolean;
  readonly nemesisIntervalMs: number;
  readonly latencyMs: number;
  readonly latencyDistribution: LatencyDistribution;
  /** How many messages the network carries in a second, if there is a limit. */
  readonly throughput?: number | undefined;
  /** Operations per second, of all clients together. */
  readonly rate: number;
  /** Clients at a time. */
  readonly concurrency: number;
  /** How often a key is written to until another takes its place. */
  readonly writesPerKey: number;
  readonly timeLimitMs: number;
  /** How long nothing is asked after the last partition, before everything is read. */
  readonly recoveryMs: number;
  /** How long reading everything may take. */
  readonly finalMs: number;
  readonly clientTimeoutMs: number;
  /**
   * Whether clients list what they have committed as soon as they have. Maelstrom's do not, but it
   * shows commits that others undo.
   */
  readonly listsAfterCommit: boolean;
  readonly seed: number;
}

/** How things stood at some moment of a run. */
export interface Snapshot {
  readonly messages: MessageCounts;
  readonly requests: number;
  readonly operations: number;
  readonly polls: number;
  readonly polledKeys: number;
}

/** How things stood when something ended. */
export interface Phases {
  /** At the beginning and after each quarter of the time limit. */
  readonly quarters: readonly Snapshot[];
  /** When all that clients had asked was answered. */
  readonly settled: Snapshot;
  /** When all committed offsets had been listed. */
  readonly listed: Snapshot;
  /** When everything had been read. */
  readonly read: Snapshot;
}

/** What came of a run. */
export interface SimulationResult {
  readonly verdict: Verdict;
  readonly complaints: readonly string[];
  readonly tally: Tally;
  readonly partitions: Nemesis["partitions"];
  readonly phases: Phases;
}

/** Runs a cluster under load, reads everything in the end, and judges what the clients saw. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { program, nodeCount, latencyMs, latencyDistribution, throughput, seed } = options;
  const random = (stream: number) => new Random(seed * 16 + stream);
  const nodes = Array.from({ length: nodeCount }, (_, index) => `n${index}`);
  const network = new Network({ random: random(0), latencyMs, latencyDistribution, throughput });
  joinServices(network, [random(4), random(5)]);
  const intervalMs = options.nemesisIntervalMs;
  const nemesis = new Nemesis({ network, nodes, random: random(1), intervalMs });
  const history = new History();
  const tally = new Tally();
  const workload = new Workload(random(2), options.writesPerKey);
  const surroundings: ClientSurroundings = {
    network,
    nemesis,
    history,
    tally,
    workload,
    random: random(3),
    timeoutMs: options.clientTimeoutMs,
    listsAfterCommit: options.listsAfterCommit,
  };
  let clients = nodeCount;
  const open = (node: string) => new Client(`c${clients++}`, node, surroundings);
  const workers = new Workers(nodes, options.concurrency, open, surroundings);
  const cluster = new Cluster(network, nodes, program);
  let phases: Phases;
  try {
    await cluster.init();
    phases = await goThrough(options, workers, surroundings);
  } finally {
    nemesis.stop();
    await cluster.end();
    network.close();
  }
  const verdict = checkKafkaHistory(history, { realtime: false, readToEnd: true });
  const { complaints } = cluster;
  return { verdict, complaints, tally, partitions: nemesis.partitions, phases };
}

/** Lets the workers work, with the nemesis at work if it is to, and then read everything. */
async function goThrough(
  options: SimulationOptions,
  workers: Workers,
  { network, nemesis, tally }: ClientSurroundings,
): Promise<Phases> {
  const snap = (): Snapshot => ({
    messages: network.traffic.counts,
    requests: tally.requests,
    operations: tally.operations,
    polls: tally.polls,
    polledKeys: tally.polledKeys,
  });
  const quarters = [snap()];
  if (options.partitions) nemesis.start();
  for (let quarter = 1; quarter <= 4; quarter++) {
    await workers.work(options.timeLimitMs / 4, options.rate);
    quarters.push(snap());
  }
  nemesis.stop();
  await workers.settled();
  const settled = snap();
  await sleep(options.recoveryMs);
  await workers.listEverything(options.finalMs);
  const listed = snap();
  await workers.readEverything(options.finalMs);
  return { quarters, settled, listed, read: snap() };
}
