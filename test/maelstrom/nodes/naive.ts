import { parseArgs } from "node:util";
import {
  type Body,
  type Handler,
  type Json,
  KeyValueStore,
  MaelstromNode,
  type Network,
  type Request,
} from "../../../src/maelstrom/index.js";

/*
 * The naive design of a log on key-value services, which better ones are measured by: the value of
 * a key of lin-kv holds all messages of a log, and a send reads it and swaps it for one that is
 * longer by one message. Committed offsets are values of seq-kv, which only ever rise.
 *
 * `--bug NAME` plants one of the bugs below, for tests of the checker.
 */

const BUGS = {
  loseSends: "lose-sends",
  write: "write",
  staleCommit: "stale-commit",
  hole: "hole",
} as const;

/** How long a service may take to answer; in a test there is always time for that. */
const SERVICE_TIMEOUT_MS = 60_000;

const { bug } = parseArgs({ options: { bug: { type: "string" } } }).values;
if (bug !== undefined && !Object.values<string>(BUGS).includes(bug)) {
  throw new TypeError(`--bug must be one of ${Object.values(BUGS).join(", ")}, not '${bug}'`);
}

class NaiveLogs {
  readonly #logs: KeyValueStore;
  readonly #committed: KeyValueStore;
  #sends = 0;
  #polls = 0;
  /** By key, what this node has committed; only with the bug that needs it. */
  readonly #remembered = new Map<string, number>();

  constructor(network: Network) {
    this.#logs = new KeyValueStore(network, "lin-kv", SERVICE_TIMEOUT_MS);
    this.#committed = new KeyValueStore(network, "seq-kv", SERVICE_TIMEOUT_MS);
  }

  /** Adds a message to a log and resolves with its offset. */
  async append(key: string, message: Json): Promise<number> {
    const number = ++this.#sends;
    for (;;) {
      const stored = (await this.#logs.read(`log-${key}`)) as readonly Json[] | undefined;
      const log = stored ?? [];
      // Of a hundred sends of each node, acknowledges one, and does not do it.
      if (bug === BUGS.loseSends && number % 100 === 50) return log.length;
      const longer = [...log, message];
      // Writes instead of swapping, so that another node's message may be overwritten.
      if (bug === BUGS.write) await this.#logs.write(`log-${key}`, longer);
      else if (!(await swap(this.#logs, `log-${key}`, stored, longer))) continue;
      return log.length;
    }
  }

  /** The messages of a log with their offsets, from one offset on. */
  async poll(key: string, from: number): Promise<[number, Json][]> {
    const log = ((await this.#logs.read(`log-${key}`)) ?? []) as readonly Json[];
    // Here a client must not be at the end all the time, or all commit the same.
    const end = bug === BUGS.staleCommit ? from + 1 : log.length;
    const pairs = log.map((message, offset): [number, Json] => [offset, message]).slice(from, end);
    // Of five answers with more than two messages, leaves out the second message in one.
    if (bug === BUGS.hole && pairs.length > 2 && ++this.#polls % 5 === 0) pairs.splice(1, 1);
    return pairs;
  }

  /** Raises a committed offset. */
  async commit(key: string, offset: number): Promise<void> {
    for (;;) {
      const committed = this.#remembered.get(key) ?? (await this.committed(key));
      if (committed !== undefined && committed >= offset) return;
      if (bug === BUGS.staleCommit) {
        // Takes what it has committed last itself for what is committed, and does not swap.
        this.#remembered.set(key, offset);
        await this.#committed.write(`committed-${key}`, offset);
        return;
      }
      if (await swap(this.#committed, `committed-${key}`, committed, offset)) return;
    }
  }

  /** A committed offset; `undefined` if there is none. */
  async committed(key: string): Promise<number | undefined> {
    return (await this.#committed.read(`committed-${key}`)) as number | undefined;
  }
}

/** Resolves with whether the value was still `from`. */
async function swap<T extends Exclude<Json, null>>(
  store: KeyValueStore,
  key: string,
  from: T | undefined,
  to: T,
): Promise<boolean> {
  return from === undefined
    ? await store.create(key, to)
    : await store.compareAndSwap(key, from, to);
}

function start(network: Network): ReadonlyMap<string, Handler> {
  const logs = new NaiveLogs(network);
  const handlers: Record<string, (request: Request) => Promise<Body>> = {
    send: async ({ body: { key, msg } }) => {
      return { type: "send_ok", offset: await logs.append(key as string, msg as Json) };
    },
    poll: async ({ body }) => {
      const polls = Object.entries(body.offsets as Offsets);
      const msgs = await Promise.all(
        polls.map(async ([key, from]) => [key, await logs.poll(key, from)] as const),
      );
      return { type: "poll_ok", msgs: new Map(msgs) };
    },
    commit_offsets: async ({ body }) => {
      const commits = Object.entries(body.offsets as Offsets);
      await Promise.all(commits.map(([key, offset]) => logs.commit(key, offset)));
      return { type: "commit_offsets_ok" };
    },
    list_committed_offsets: async ({ body }) => {
      const keys = body.keys as string[];
      const offsets = await Promise.all(
        keys.map(async (key) => [key, await logs.committed(key)] as const),
      );
      const known = offsets.filter((entry): entry is [string, number] => entry[1] !== undefined);
      return { type: "list_committed_offsets_ok", offsets: new Map(known) };
    },
  };
  return new Map(Object.entries(handlers).map(([type, handle]) => [type, { handle }]));
}

type Offsets = Readonly<Record<string, number>>;

const node = new MaelstromNode({ start, output: process.stdout, log: console.error });
await node.run(process.stdin);
