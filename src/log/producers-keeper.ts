import { CorruptionError, type SeglogError } from "../errors.js";
import type { BlockProducer } from "../format/block-header.js";
import type { ActiveEnd } from "./active-end.js";
import type { JournaledAppends } from "./journaled-appends.js";
import type { LogFailures } from "./log-failures.js";
import type { MetadataKeeper } from "./metadata-keeper.js";
import type { Producers } from "./producers.js";

/** What the producers of a log are kept with. */
export interface ProducersKeeperParts {
  readonly metadata: MetadataKeeper;
  readonly end: ActiveEnd;
  readonly failures: LogFailures;
  readonly journaled: JournaledAppends | undefined;
  readonly onError: (error: SeglogError) => void;
}

/**
 * When the producers of a log that is open for writing are read, saved and given up. The file
 * `producers` never tells of more than the segments have on stable storage, and is written before
 * segments go that alone tell of something.
 */
export class ProducersKeeper {
  /** What is known of them. */
  readonly known: Producers;
  readonly #metadata: MetadataKeeper;
  readonly #end: ActiveEnd;
  readonly #failures: LogFailures;
  readonly #journaled: JournaledAppends | undefined;
  readonly #onError: (error: SeglogError) => void;

  constructor(known: Producers, parts: ProducersKeeperParts) {
    this.known = known;
    this.#metadata = parts.metadata;
    this.#end = parts.end;
    this.#failures = parts.failures;
    this.#journaled = parts.journaled;
    this.#onError = parts.onError;
  }

  /** Whether producers may have appended something that the log has. */
  get mayBeAny(): boolean {
    return this.#metadata.now.hasProducers || this.#journaled?.producersTail !== undefined;
  }

  /**
   * Whether a batch of a producer follows on all that was accepted. What does not, or cannot be
   * judged before something is read, is to be judged when all is at rest.
   */
  isKnownToFollow(producer: BlockProducer | undefined, recordCount: number): boolean {
    if (producer === undefined) return true;
    if (!this.mayBeAny) this.known.beginWithNone();
    return this.known.follows(producer, recordCount);
  }

  /**
   * Finds out what the log has, unless that is known. Nothing may be on its way to the journal.
   *
   * @throws CorruptionError if blocks are damaged that had to be read.
   */
  load(): Promise<void> {
    return this.known.load(this.#end.written, this.#metadata.now.hasProducers);
  }

  /** Before segments go: what those in front of one tell of producers must be known without them. */
  async keepWithout(firstBaseOffset: number): Promise<void> {
    if (!this.#metadata.now.hasProducers || !(await this.#hasLoaded())) return;
    if (!this.known.mustSaveBefore(firstBaseOffset)) return;
    await this.#failures.change(async () => {
      // Else a crash could leave a file that tells of more than there is.
      await this.#end.sync();
      await this.known.save(this.#end.durable);
    });
  }

  /** Before the log is cut: what is kept of them must stay true. */
  async keepDeleted(): Promise<void> {
    if (!this.#metadata.now.hasProducers || !(await this.#hasLoaded())) return;
    await this.#failures.change(() => this.known.saveDeleted());
  }

  /** Saves what is known of them for the next session, which else finds it in the blocks. */
  async save(): Promise<void> {
    if (!this.known.isUnsaved) return;
    await this.known.save(this.#end.durable).catch(this.#onError);
  }

  /** Damage must not keep anybody from removing what is damaged: then nothing is known of them. */
  async #hasLoaded(): Promise<boolean> {
    try {
      await this.known.load(this.#end.written, true);
      return true;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.#onError(error);
      await this.#failures.change(() => this.known.discard());
      return false;
    }
  }
}
