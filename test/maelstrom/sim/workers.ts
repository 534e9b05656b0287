import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type ClientSurroundings, RequestError } from "./client.js";
import type { Task } from "./workload.js";

/** Each worker gives up its client, though nothing is wrong with it, about that often. */
const CRASH_INTERVAL_MS = 30_000;

/** In the end each worker asks again after about that long. */
const FINAL_INTERVAL_MS = 200;

/** Where a client stands: a worker has one after the other, always of the same node. */
interface Worker {
  readonly node: string;
  client: Client;
  /** Settles when the worker has nothing to do. */
  done: Promise<void>;
  busy: boolean;
}

/** The clients at work: as many at a time as the concurrency says, node by node in turns. */
export class Workers {
  readonly #workers: readonly Worker[];
  readonly #open: (node: string) => Client;
  readonly #run: ClientSurroundings;
  #onFree: () => void = () => {};
  #nextTaskAt = 0;
  #nextCrashAt = 0;

  constructor(
    nodes: readonly string[],
    concurrency: number,
    open: (node: string) => Client,
    run: ClientSurroundings,
  ) {
    this.#open = open;
    this.#run = run;
    this.#workers = Array.from({ length: concurrency }, (_, index) => {
      const node = nodes[index % nodes.length] as string;
      return { node, client: open(node), done: Promise.resolve(), busy: false };
    });
  }

  /**
   * Gives tasks to workers that are free, at random moments.
   *
   * @param rate - How many a second on average, as long as there are free workers.
   */
  async work(durationMs: number, rate: number): Promise<void> {
    const { random, workload } = this.#run;
    const end = performance.now() + durationMs;
    const crashIntervalMs = CRASH_INTERVAL_MS / this.#workers.length;
    this.#nextCrashAt ||= performance.now() + random.next() * 2 * crashIntervalMs;
    for (;;) {
      // What could not be done in time is not made up for, or a pause would end in a burst.
      const earliest = performance.now() - 10;
      this.#nextTaskAt = Math.max(this.#nextTaskAt + random.next() * (2_000 / rate), earliest);
      await sleepUntil(Math.min(this.#nextTaskAt, end));
      const worker = await this.#freeWorker(end);
      if (!worker || performance.now() >= end) return;
      if (performance.now() >= this.#nextCrashAt) {
        this.#nextCrashAt += random.next() * 2 * crashIntervalMs;
        this.#run.tally.operations++;
        this.#replaceClient(worker);
      } else {
        const task = workload.next();
        void this.#begin(worker, (client) => perform(client, task));
      }
    }
  }

  /** Resolves when no worker has anything to do. */
  async settled(): Promise<void> {
    await Promise.all(this.#workers.map(({ done }) => done));
  }

  /**
   * Each worker, with a new client, lists the committed offsets until all that were acknowledged
   * are there. Maelstrom does not do that; it has to be before clients read, and commit, on.
   */
  async listEverything(timeLimitMs: number): Promise<void> {
    for (const worker of this.#workers) this.#replaceClient(worker);
    const targets = new Map(this.#run.workload.committedOffsets);
    const keys = [...targets.keys()];
    await this.#goOn(timeLimitMs, targets, async (client) => client.listCommitted(keys));
  }

  /**
   * Each worker, with a new client, reads all keys from the beginning until it has come to all
   * that was ever acknowledged or read. What is not there in time is left to the checker. As in
   * Jepsen, who has to give up that client knows of no keys and reads nothing any more.
   */
  async readEverything(timeLimitMs: number): Promise<void> {
    const targets = new Map(this.#run.workload.highestOffsets);
    for (const worker of this.#workers) {
      this.#replaceClient(worker);
      worker.client.assignFromStart(targets.keys());
    }
    await this.#goOn(timeLimitMs, targets, (client) => client.poll());
  }

  /** Each worker goes on with `step` until it has come to the target of each key. */
  async #goOn(
    timeLimitMs: number,
    targets: ReadonlyMap<string, number>,
    step: (client: Client) => Promise<ReadonlyMap<string, number>>,
  ): Promise<void> {
    const end = performance.now() + timeLimitMs;
    const reachAll = async (worker: Worker) => {
      const missing = new Map(targets);
      while (missing.size > 0 && performance.now() < end) {
        await this.#begin(worker, async (client) => {
          for (const [key, offset] of await step(client)) {
            if (offset >= (missing.get(key) ?? 0)) missing.delete(key);
          }
        });
        if (missing.size > 0) await sleep(this.#run.random.next() * 2 * FINAL_INTERVAL_MS);
      }
    };
    await Promise.all(this.#workers.map(reachAll));
  }

  /** Resolves when the task is done. */
  #begin(worker: Worker, task: (client: Client) => Promise<unknown>): Promise<void> {
    this.#run.tally.operations++;
    worker.busy = true;
    worker.done = this.#perform(worker, task);
    return worker.done;
  }

  async #perform(worker: Worker, task: (client: Client) => Promise<unknown>): Promise<void> {
    try {
      await task(worker.client);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#replaceClient(worker);
    }
    worker.busy = false;
    this.#onFree();
  }

  #replaceClient(worker: Worker): void {
    worker.client.close();
    worker.client = this.#open(worker.node);
  }

  /** A worker that is free, or `undefined` if there is none until `end`. */
  async #freeWorker(end: number): Promise<Worker | undefined> {
    for (;;) {
      const free = this.#workers.filter(({ busy }) => !busy);
      if (free.length > 0) return this.#run.random.pick(free);
      const leftMs = end - performance.now();
      if (leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#onFree = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

async function perform(client: Client, task: Task): Promise<void> {
  if (task.type === "send") await client.send(task.key, task.message);
  else if (task.type === "poll") await client.poll();
  else await client.assign(task.keys);
}

async function sleepUntil(moment: number): Promise<void> {
  const leftMs = moment - performance.now();
  if (leftMs > 0) await sleep(leftMs);
}
