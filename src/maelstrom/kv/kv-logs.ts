import { OffsetOutOfRangeError, type ReadOptions } from "../../index.js";
import type { MessageLogs } from "../kafka-workload.js";
import type { Message } from "../poll.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";
import { Chain } from "./chain.js";
import { ChainAppender } from "./chain-appender.js";
import type { KvEnvironment } from "./environment.js";

/** How long a key may be: all that are committed of a slot stand together in one value. */
const MAX_KEY_CHARACTERS = 1000;

/** Of how many logs something is kept in memory, and about how many characters of messages. */
const MAX_LOGS = 20_000;
const MAX_CHARACTERS = 64 * 1024 * 1024;

interface Log {
  readonly chain: Chain;
  readonly appender: ChainAppender;
  /** How many characters of it are counted. */
  characters: number;
}

const encoder = new TextEncoder();

/**
 * Logs by key in key-value stores, see `Chain`. Several nodes may write to the same log: it is
 * right all the same, and takes more requests.
 */
export class KvLogs implements MessageLogs {
  readonly #environment: KvEnvironment;
  /** The one that was not used for longest comes first. */
  readonly #logs = new Map<string, Log>();
  #characters = 0;
  #batches = 0;

  constructor(environment: KvEnvironment) {
    this.#environment = environment;
  }

  /** Appends a message; resolves with its offset. Failures as `ChainAppender.append`. */
  append(key: string, message: string): Promise<number> {
    const log = this.#log(key);
    return log.appender.append(message).finally(() => this.#count(key, log));
  }

  /**
   * Reads messages with offsets of at least `from`: those that are known here, if there are any.
   * That there is nothing is said only after having looked, or as far as that is trusted in.
   *
   * @throws OffsetOutOfRangeError if the log does not go so far; MaelstromError.
   */
  async read(
    key: string,
    from: number,
    options: ReadOptions,
  ): Promise<{ readonly records: readonly Message[] }> {
    // It may be forgotten meanwhile; another one would know nothing yet.
    const log = this.#log(key);
    try {
      return { records: await readChain(log.chain, from, options) };
    } finally {
      this.#count(key, log);
    }
  }

  /**
   * One past the last message of a log, as far as it is known; 0 if there is none. Looks only if
   * less is known than somebody else has seen.
   *
   * @param atLeast - Where the log is said to go.
   */
  async endOffset(key: string, atLeast: number): Promise<number> {
    const log = this.#log(key);
    try {
      await reach(log.chain, atLeast);
      return log.chain.end.baseOffset;
    } finally {
      this.#count(key, log);
    }
  }

  #log(key: string): Log {
    const log = this.#logs.get(key) ?? this.#make(key);
    this.#logs.delete(key);
    this.#logs.set(key, log);
    return log;
  }

  #make(key: string): Log {
    if (!key.isWellFormed()) {
      throw new MaelstromError("malformedRequest", "A key must not have half of a character.");
    }
    if (key.length > MAX_KEY_CHARACTERS) {
      const text = `A key must not have more than ${MAX_KEY_CHARACTERS} characters.`;
      throw new MaelstromError("malformedRequest", text);
    }
    while (this.#logs.size >= MAX_LOGS && this.#forgetOne());
    const chain = new Chain(this.#environment, key);
    // Counted over all logs: one that was forgotten must not begin anew.
    const newId = () => `${this.#environment.writerName}-${++this.#batches}`;
    return { chain, appender: new ChainAppender(chain, newId), characters: 0 };
  }

  /**
   * All that is known of a log can be found again, but not what is on its way.
   *
   * @returns Whether there was one to forget.
   */
  #forgetOne(): boolean {
    for (const [key, { appender, characters }] of this.#logs) {
      if (!appender.isIdle) continue;
      this.#characters -= characters;
      return this.#logs.delete(key);
    }
    return false;
  }

  /** Counts what is kept of a log after something was done with it, and forgets others for it. */
  #count(key: string, log: Log): void {
    if (this.#logs.get(key) !== log) return;
    const { characters } = log.chain;
    this.#characters += characters - log.characters;
    log.characters = characters;
    while (this.#characters > MAX_CHARACTERS && this.#forgetOne());
  }
}

/** Looks how far a log goes, if less is known of it. */
async function reach(chain: Chain, offset: number): Promise<void> {
  if (chain.end.baseOffset < offset) await chain.refreshSurely();
}

async function readChain(
  chain: Chain,
  from: number,
  { maxRecords = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY }: ReadOptions,
): Promise<readonly Message[]> {
  if (chain.end.baseOffset <= from) await chain.refresh();
  await reach(chain, from);
  const endOffset = chain.end.baseOffset;
  if (from > endOffset) throw new OffsetOutOfRangeError(from, 0, endOffset);
  const records: Message[] = [];
  if (from === endOffset) return records;
  let bytes = 0;
  for await (const [offset, message] of chain.messages(from)) {
    const value = encoder.encode(message);
    bytes += value.length;
    if (records.length > 0 && bytes > maxBytes) break;
    records.push({ offset, value });
    if (records.length >= maxRecords) break;
  }
  return records;
}
