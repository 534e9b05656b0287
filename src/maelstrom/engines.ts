import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Durability, LogStore } from "../index.js";
import { encodeKey } from "../store/key-directory.js";
import type { CommittedOffsets, MessageLogs } from "./kafka-workload.js";
import { KvGroup } from "./kv/kv-group.js";
import { KvLogs } from "./kv/kv-logs.js";
import { Trust } from "./kv/trust.js";
import { Owners } from "./router/owner.js";
import type { Network } from "./runtime/handler.js";
import { KeyValueStore } from "./runtime/key-value-store.js";

/** The consumer group in which the workload's committed offsets are kept. */
const GROUP = "maelstrom";

/** How long a key-value service may take to answer, before it is asked again. */
const KV_TIMEOUT_MS = 1500;

/**
 * For how long an owner takes what it has seen for all that there is. Others write to its keys only
 * while they cannot reach it, and as long as they cannot tell it that they do, what they write is
 * seen so much later.
 */
const OWNER_TRUST_MS = 2000;

/** What keeps messages and committed offsets. */
export interface Engine {
  /** Whether every node could serve every key. */
  readonly mayServeAll: boolean;
  /**
   * Called once.
   *
   * @param isRouted - Whether each key is, as a rule, served by one node.
   */
  start(network: Network, isRouted: boolean): Promise<StartedEngine>;
}

/** An engine that knows its network. */
export interface StartedEngine {
  readonly logs: MessageLogs;
  readonly group: CommittedOffsets;
  /** To be called when another node has, or may have, served keys that are this one's. */
  onReplaced(): void;
  close(): Promise<void>;
}

/**
 * Keeps them in a store on this node's disk. All nodes of a network are given the same command
 * line, so nodes of several have stores of their own below the directory that it names.
 */
export function segmentsEngine(
  options: { readonly dataDirectory: string; readonly durability: Durability },
  log: (line: string) => void,
): Engine {
  const { dataDirectory, durability } = options;
  const onError = (error: Error) => log(error.message);
  return {
    mayServeAll: false,
    start: async ({ nodeId, nodeIds }) => {
      const isAlone = nodeIds.length === 1;
      const directory = isAlone ? dataDirectory : join(dataDirectory, encodeKey(nodeId));
      const store = await LogStore.open(directory, { durability, onError });
      log(`data in ${directory}`);
      return {
        logs: store,
        group: store.group(GROUP),
        onReplaced: () => {},
        close: () => store.close(),
      };
    },
  };
}

/** Keeps them in Maelstrom's key-value services, which all nodes share. */
export function kvEngine(): Engine {
  return {
    mayServeAll: true,
    start: async (network, isRouted) => {
      const owners = new Owners(network.nodeIds);
      const inOwn = new Trust(isRouted ? OWNER_TRUST_MS : 0);
      const inOthers = new Trust(0);
      const trustIn = (key: string) => (owners.of(key) === network.nodeId ? inOwn : inOthers);
      const environment = {
        ordered: new KeyValueStore(network, "lin-kv", KV_TIMEOUT_MS),
        immutable: new KeyValueStore(network, "seq-kv", KV_TIMEOUT_MS),
        writerName: `${network.nodeId}-${randomUUID()}`,
        trustIn,
      };
      const logs = new KvLogs(environment);
      const group = new KvGroup(environment, logs, GROUP);
      return { logs, group, onReplaced: () => inOwn.suspend(), close: async () => {} };
    },
  };
}
