import type { SeglogClient } from "../client/index.js";
import { SeglogError } from "../errors.js";
import type { LogRecord } from "../format/record.js";
import { waitingFor } from "./awaited-key.js";
import type { CommandContext } from "./context.js";
import { ExitCode } from "./exit-code.js";
import { printRecord, type RecordFormat } from "./record-printer.js";
import { connectRemote, type RemoteFlags, requireKey } from "./remote.js";

/** What is asked of a log, wherever it is. */
export interface RemoteCatFlags extends RemoteFlags {
  readonly key?: string;
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
  readonly follow?: boolean;
  readonly format: RecordFormat;
}

/** `seglog cat --url`: the records of a key on a server. */
export class RemoteCat {
  readonly #context: CommandContext;
  readonly #flags: RemoteCatFlags;
  #left: number;

  constructor(context: CommandContext, flags: RemoteCatFlags) {
    this.#context = context;
    this.#flags = flags;
    this.#left = flags.limit ?? Number.POSITIVE_INFINITY;
  }

  async run(): Promise<void> {
    const key = requireKey(this.#flags.key);
    if (this.#left === 0) return;
    await using client = await connectRemote(this.#flags);
    const bounds = await client.bounds(key);
    const { url, from = bounds?.startOffset ?? 0, follow } = this.#flags;
    if (follow === true) {
      if (bounds === undefined) this.#context.tell(waitingFor(url!, key));
      await this.#follow(client, key, from);
    } else if (bounds !== undefined) {
      await this.#read(client, key, from, bounds.endOffset);
    } else {
      const text = `${url} has no key ${JSON.stringify(key)}.`;
      throw new SeglogError("KEY_NOT_FOUND", `${text} seglog inspect --url lists its keys.`);
    }
  }

  async #read(client: SeglogClient, key: string, from: number, endOffset: number): Promise<void> {
    for (let next = from; next < endOffset || next === from; ) {
      const { records, nextOffset } = await client.read(key, next);
      if (records.length === 0 || !(await this.#print(records))) return;
      next = nextOffset;
    }
  }

  async #follow(client: SeglogClient, key: string, from: number): Promise<void> {
    const consumer = client.consumer({ keys: [key], reset: "error" });
    consumer.seek([[key, from]]);
    const interrupt = () => {
      this.#context.exitCode = ExitCode.interrupted;
      void consumer.close();
    };
    process.once("SIGINT", interrupt);
    try {
      for await (const { records } of consumer.batches()) {
        if (!(await this.#print(records))) return;
        await this.#context.output.flush();
      }
    } finally {
      process.off("SIGINT", interrupt);
    }
  }

  /** @returns Whether more are to be printed. */
  async #print(records: readonly LogRecord[]): Promise<boolean> {
    const { format, to = Number.POSITIVE_INFINITY } = this.#flags;
    for (const record of records) {
      if (record.offset >= to) return false;
      const written = this.#context.output.write(printRecord(format, record));
      if (written !== undefined) await written;
      this.#left--;
      if (this.#left === 0) return false;
    }
    return true;
  }
}
