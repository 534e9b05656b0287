import type { LogRecord } from "../format/record.js";
import type { Connection } from "./connection.js";
import { hasCode } from "./failures.js";
import type { FeedOptions, FeedPiece } from "./feed.js";
import { feeds } from "./feeds.js";

/** Feeds that are under way. */
interface Source {
  readonly pieces: AsyncGenerator<FeedPiece, void, void>;
  readonly abort: AbortController;
}

/**
 * Reads feeds record by record, and fetches the next piece of each while one is read, never more:
 * that bounds the memory.
 */
export class FeedReader {
  /** The next offset of each key to be taken; `undefined` while only the server knows. */
  readonly places: Map<string, number | undefined>;
  /** In which the records of each key were told that were taken last. */
  readonly generations = new Map<string, Uint8Array>();
  readonly #connection: Connection;
  readonly #options: Omit<FeedOptions, "places">;
  #source: Source | undefined;
  /** The piece that comes next. */
  #fetched: Promise<FeedPiece> | undefined;
  #arriving: Promise<void> | undefined;
  #piece: FeedPiece | undefined;
  #index = 0;
  #isClosed = false;

  constructor(
    connection: Connection,
    keys: readonly string[],
    options: Omit<FeedOptions, "places">,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.places = new Map(keys.map((key) => [key, undefined]));
  }

  /** Whether there is a record to take. */
  get hasRecord(): boolean {
    return this.#piece !== undefined;
  }

  /** The next record; only if there is one. */
  take(): { readonly key: string; readonly record: LogRecord } {
    const { key, records, nextOffset } = this.#piece!;
    const record = records[this.#index++]!;
    const isLast = this.#index === records.length;
    this.places.set(key, isLast ? nextOffset : record.offset + 1);
    if (isLast) this.#piece = undefined;
    return { key, record };
  }

  /** What is left of the piece at hand; only if there is a record. */
  takeAll(): FeedPiece {
    const { key, records, nextOffset, generation } = this.#piece!;
    const rest = this.#index === 0 ? records : records.slice(this.#index);
    this.#piece = undefined;
    this.places.set(key, nextOffset);
    return { key, records: rest, nextOffset, generation };
  }

  /**
   * Resolves when there is a record, or at the latest after `timeoutMs`, when places were changed,
   * and when it is closed.
   *
   * @throws As {@link feeds}. The next call tries again.
   */
  async arrival(timeoutMs?: number): Promise<void> {
    this.#arriving ??= this.#arrive().finally(() => {
      this.#arriving = undefined;
    });
    if (timeoutMs === undefined) return this.#arriving;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    // Whoever asks next is told how it ended.
    this.#arriving.catch(() => undefined);
    await Promise.race([this.#arriving, timeout]).finally(() => clearTimeout(timer));
  }

  /** Goes on at other places, and forgets what was fetched. */
  seek(places: ReadonlyMap<string, number>): void {
    for (const [key, next] of places) this.places.set(key, next);
    this.#stop();
  }

  /** Ends it; whoever waits goes on. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  async #arrive(): Promise<void> {
    while (this.#piece === undefined && !this.#isClosed) {
      this.#fetched ??= this.#fetch();
      const fetched = this.#fetched;
      try {
        const piece = await fetched;
        // It was stopped meanwhile.
        if (fetched !== this.#fetched) continue;
        this.#fetched = this.#fetch();
        if (piece.records.length === 0) {
          this.places.set(piece.key, piece.nextOffset);
        } else {
          this.#piece = piece;
          this.generations.set(piece.key, piece.generation);
          this.#index = 0;
        }
      } catch (error) {
        if (fetched !== this.#fetched) continue;
        this.#stop();
        if (hasCode(error, "LOG_TRUNCATED")) this.#forgetPlaces();
        throw error;
      }
    }
  }

  /** They may be of records that are no more: the server decides anew. */
  #forgetPlaces(): void {
    for (const key of this.places.keys()) this.places.set(key, undefined);
  }

  #fetch(): Promise<FeedPiece> {
    this.#source ??= this.#open();
    const fetched = this.#source.pieces.next().then(({ value }) => value as FeedPiece);
    // Whoever waits for it, if anybody does, is told.
    fetched.catch(() => undefined);
    return fetched;
  }

  #open(): Source {
    const abort = new AbortController();
    const places = new Map(this.places);
    return { abort, pieces: feeds(this.#connection, { ...this.#options, places }, abort.signal) };
  }

  #stop(): void {
    const source = this.#source;
    this.#source = undefined;
    this.#fetched = undefined;
    this.#piece = undefined;
    if (source === undefined) return;
    source.abort.abort();
    void source.pieces.return().catch(() => undefined);
  }
}
