import type { KvEnvironment } from "../../../src/maelstrom/kv/environment.js";
import { KvGroup } from "../../../src/maelstrom/kv/kv-group.js";
import { KvLogs } from "../../../src/maelstrom/kv/kv-logs.js";
import { KeyValueStore } from "../../../src/maelstrom/runtime/key-value-store.js";
import type { MemoryServices } from "./memory-services.js";

let writers = 0;

/** The engine of one node, as it is after a start: it knows nothing. */
export class KvNode {
  readonly logs: KvLogs;
  readonly group: KvGroup;

  constructor(services: MemoryServices, { trustMs = 0 }: Partial<KvEnvironment> = {}) {
    const network = services.network();
    const environment = {
      ordered: new KeyValueStore(network, "lin-kv", 1000),
      immutable: new KeyValueStore(network, "seq-kv", 1000),
      writerName: `writer${++writers}`,
      trustMs,
    };
    this.logs = new KvLogs(environment);
    this.group = new KvGroup(environment, this.logs, "group");
  }

  append(key: string, message: string): Promise<number> {
    return this.logs.append(key, message);
  }

  /** Appends one message after the other, so that each is a batch. */
  async appendBatches(key: string, count: number): Promise<void> {
    for (let index = 0; index < count; index++) await this.append(key, `${index}`);
  }

  /** The messages of a key from an offset on, which have the offsets that follow each other. */
  async read(key: string, from = 0, maxRecords = Number.POSITIVE_INFINITY): Promise<string[]> {
    const { records } = await this.logs.read(key, from, { maxRecords });
    for (const [index, { offset }] of records.entries()) {
      if (offset !== from + index) throw new Error(`${offset} at ${from + index} of ${key}`);
    }
    return records.map(({ value }) => Buffer.from(value).toString());
  }
}
