import { CodedError, TinyNode } from "./tiny-node.js";

/*
 * The naive design of a log on key-value services, which better ones are measured by: the value of
 * a key of lin-kv holds all messages of a log, and a send reads it and swaps it for one that is
 * longer by one message. Committed offsets are values of seq-kv, which only ever rise.
 *
 * `--bug NAME` plants one of the bugs below, for tests of the checker.
 */

/** What `--bug` takes. */
const BUGS = [
  // Of a hundred sends of each node, acknowledges one, and does not do it.
  "lose-sends",
  // Writes a log instead of swapping it, so that another node's message may be overwritten.
  "write",
  // Takes what it has committed last itself for what is committed, and writes instead of swapping.
  // Polls are answered with one message of a key, or clients would be at the end all the time.
  "stale-commit",
  // In every fifth poll with messages to tell of, leaves out one in the middle.
  "hole",
] as const;

type Bug = (typeof BUGS)[number];

const [, , option, bug] = process.argv as (string | undefined)[];
if (option !== undefined && (option !== "--bug" || !BUGS.includes(bug as Bug))) {
  throw new Error(`usage: naive.js [--bug ${BUGS.join("|")}]`);
}

const ERROR_NO_SUCH_KEY = 20;
const ERROR_PRECONDITION_FAILED = 22;

let sends = 0;
let polls = 0;
/** By key, what this node has committed; only with the bug that this is. */
const remembered = new Map<string, number>();

const node = new TinyNode({
  send: async ({ key, msg }) => ({ type: "send_ok", offset: await append(String(key), msg) }),
  poll: async ({ offsets }) => ({ type: "poll_ok", msgs: await poll(offsets as Offsets) }),
  commit_offsets: async ({ offsets }) => {
    const commits = Object.entries(offsets as Offsets);
    await Promise.all(commits.map(([key, offset]) => commit(key, offset)));
    return { type: "commit_offsets_ok" };
  },
  list_committed_offsets: async ({ keys }) => ({
    type: "list_committed_offsets_ok",
    offsets: await listCommitted(keys as string[]),
  }),
});

type Offsets = Readonly<Record<string, number>>;

async function append(key: string, message: unknown): Promise<number> {
  sends++;
  for (;;) {
    const log = await readLog(key);
    const to = [...log, message];
    if (bug === "lose-sends" && sends % 100 === 50) return log.length;
    if (bug === "write") {
      await node.ask("lin-kv", { type: "write", key: `log-${key}`, value: to });
      return log.length;
    }
    if (await swap("lin-kv", `log-${key}`, log, to)) return log.length;
  }
}

async function poll(offsets: Offsets): Promise<Record<string, [number, unknown][]>> {
  const logs = await Promise.all(
    Object.entries(offsets).map(async ([key, from]) => {
      const log = (await readLog(key)).map((message, offset) => [offset, message] as const);
      const to = bug === "stale-commit" ? from + 1 : log.length;
      return [key, log.slice(from, to)] as const;
    }),
  );
  const long = logs.find(([, pairs]) => pairs.length > 2);
  if (bug === "hole" && long && ++polls % 5 === 0) long[1].splice(1, 1);
  return Object.fromEntries(logs) as Record<string, [number, unknown][]>;
}

async function commit(key: string, offset: number): Promise<void> {
  for (;;) {
    const committed = remembered.get(key) ?? (await read("seq-kv", `committed-${key}`, -1));
    if (committed >= offset) return;
    if (bug === "stale-commit") {
      remembered.set(key, offset);
      await node.ask("seq-kv", { type: "write", key: `committed-${key}`, value: offset });
      return;
    }
    if (await swap("seq-kv", `committed-${key}`, committed, offset)) return;
  }
}

async function listCommitted(keys: readonly string[]): Promise<Offsets> {
  const offsets = await Promise.all(
    keys.map(async (key) => [key, await read("seq-kv", `committed-${key}`, -1)] as const),
  );
  return Object.fromEntries(offsets.filter(([, offset]) => offset >= 0));
}

async function readLog(key: string): Promise<unknown[]> {
  return await read<unknown[]>("lin-kv", `log-${key}`, []);
}

async function read<T>(service: string, key: string, otherwise: T): Promise<T> {
  try {
    const { value } = await node.ask(service, { type: "read", key });
    return value as T;
  } catch (error) {
    if (error instanceof CodedError && error.code === ERROR_NO_SUCH_KEY) return otherwise;
    throw error;
  }
}

/** Resolves with whether the value was still `from`. */
async function swap(service: string, key: string, from: unknown, to: unknown): Promise<boolean> {
  try {
    await node.ask(service, { type: "cas", key, from, to, create_if_not_exists: true });
    return true;
  } catch (error) {
    if (error instanceof CodedError && error.code === ERROR_PRECONDITION_FAILED) return false;
    throw error;
  }
}
