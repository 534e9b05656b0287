import { randomUUID } from "node:crypto";
import { type Durability, LogStore } from "../index.js";
import type { CommittedOffsets, MessageLogs } from "./kafka-workload.js";
import { KvGroup } from "./kv/kv-group.js";
import { KvLogs } from "./kv/kv-logs.js";
import type { Network } from "./runtime/handler.js";
import { KeyValueStore } from "./runtime/key-value-store.js";

/** The consumer group in which the workload's committed offsets are kept. */
const GROUP = "maelstrom";

/** How long a key-value service may take to answer, before it is asked again. */
const KV_TIMEOUT_MS = 1500;

/**
 * For how long an owner takes what it has seen for all that there is. Others write to its keys only
 * while they cannot reach it, and what they write is then seen so much later.
 */
const OWNER_TRUST_MS = 500;

/** What keeps messages and committed offsets. */
export interface Engine extends AsyncDisposable {
  /** Whether every node could serve every key. */
  readonly mayServeAll: boolean;
  /** @param isRouted - Whether each key is, as a rule, served by one node. */
  start(
    network: Network,
    isRouted: boolean,
  ): { readonly logs: MessageLogs; readonly group: CommittedOffsets };
}

/** Keeps them in a store on this node's disk. */
export async function openSegments(
  options: { readonly dataDirectory: string; readonly durability: Durability },
  log: (line: string) => void,
): Promise<Engine> {
  const { dataDirectory, durability } = options;
  const onError = (error: Error) => log(error.message);
  const store = await LogStore.open(dataDirectory, { durability, onError });
  log(`data in ${dataDirectory}`);
  return {
    mayServeAll: false,
    start: () => ({ logs: store, group: store.group(GROUP) }),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Keeps them in Maelstrom's key-value services, which all nodes share. */
export function kvEngine(): Engine {
  return {
    mayServeAll: true,
    start: (network, isRouted) => {
      const environment = {
        ordered: new KeyValueStore(network, "lin-kv", KV_TIMEOUT_MS),
        immutable: new KeyValueStore(network, "seq-kv", KV_TIMEOUT_MS),
        writerName: `${network.nodeId}-${randomUUID()}`,
        trustMs: isRouted ? OWNER_TRUST_MS : 0,
      };
      const logs = new KvLogs(environment);
      return { logs, group: new KvGroup(environment, logs, GROUP) };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
