import { SeglogError } from "../errors.js";
import { backoffMs } from "./backoff.js";
import { hasCode, isTransient, isUncertain } from "./failures.js";
import { expiryOf, followed, leftOpen } from "./given-up.js";
import type { OutgoingBatch } from "./outgoing-batch.js";

/** Sequences are 32 bits long, and never wrap. */
const SEQUENCE_END = 2 ** 32;

/** Who sends: what lets the server tell a batch that it has from one that it has not. */
export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

/** What a queue needs of the outbox that it is in. */
export interface KeyQueueOwner {
  readonly maxInFlight: number;
  /** Whether a batch that takes more records may be sent when its turn comes. */
  readonly takesOpen: boolean;
  /** Whether the server gave the identity, for a name; then it is not for us to make another. */
  readonly isNamed: boolean;
  /** The batch is done: delivered, or failed with this. */
  settled(batch: OutgoingBatch, error: Error | undefined): void;
  /** A batch became two. */
  replaced(batch: OutgoingBatch, parts: readonly OutgoingBatch[]): void;
  /** The producer of a name can go on no more, with any key. */
  fatal(error: SeglogError): void;
}

/**
 * The batches of one key on their way to the server, which are stored once each, in their order.
 *
 * Each batch has the number of its first record, from the moment it is first sent, and is sent again
 * under that number until the server says what became of it. After a failure nothing more is sent
 * until there are answers to all that is under way; then what is left goes again, from the first
 * one on. See `docs/client.md` for what happens to a batch that is given up.
 */
export class KeyQueue {
  readonly key: string;
  /** Batches that take no more records, in order; they have no numbers yet. */
  readonly waiting: OutgoingBatch[] = [];
  /** The batch that takes more records, behind all others. */
  open: OutgoingBatch | undefined;
  /** Length of the batch that was sent last: the next one is likely to be as long. */
  latestBytes = 0;
  /** Not to be served before this time; 0 if it may be. */
  pausedUntilMs = 0;
  /** Whether the outbox has it in its line of queues to serve. */
  isInLine = false;
  readonly #owner: KeyQueueOwner;
  #identity: ProducerIdentity;
  /** Whether the number of what comes next is known; otherwise only the server knows it. */
  #isPlaced: boolean;
  #nextSequence = 0;
  /** Batches that have numbers, in order. Those before {@link #next} were sent in this round. */
  readonly #numbered: OutgoingBatch[] = [];
  #next = 0;
  /** Batches that were sent and not answered. */
  #underWay = 0;
  /** Whether a batch of this round failed, so that no more are sent in it. */
  #isStalled = false;
  /** Rounds in a row that brought nothing but failures. */
  #failures = 0;

  /** @param isPlaced - Whether it is known that nothing was sent to the key by this identity. */
  constructor(key: string, identity: ProducerIdentity, isPlaced: boolean, owner: KeyQueueOwner) {
    this.key = key;
    this.#identity = identity;
    this.#isPlaced = isPlaced;
    this.#owner = owner;
  }

  /** Who sends the batch that was taken last. */
  get identity(): ProducerIdentity {
    return this.#identity;
  }

  /** Sets who sends, before anything is taken. */
  identify(identity: ProducerIdentity): void {
    this.#identity = identity;
  }

  /** Whether it is known where it stands; before that, nothing is sent. */
  get isPlaced(): boolean {
    return this.#isPlaced;
  }

  /** Sets the number of what comes next, before anything is taken. */
  place(nextSequence: number): void {
    this.#nextSequence = nextSequence;
    this.#isPlaced = true;
  }

  /** Whether it holds nothing. */
  get isIdle(): boolean {
    return this.#numbered.length + this.waiting.length === 0 && this.open === undefined;
  }

  /** Whether {@link take} has a batch to give. */
  get isReady(): boolean {
    if (!this.#isPlaced || this.#isStalled || this.pausedUntilMs > 0) return false;
    // One batch finds out whether the server is well again.
    const limit = this.#failures > 0 ? 1 : this.#owner.maxInFlight;
    if (this.#underWay >= limit) return false;
    if (this.#next < this.#numbered.length) return true;
    const batch = this.#following;
    if (batch === undefined || this.#numbered.length >= limit) return false;
    return this.#nextSequence + batch.count <= SEQUENCE_END || this.#numbered.length === 0;
  }

  /** The batch to send now; only if {@link isReady}. */
  take(): OutgoingBatch | undefined {
    if (this.#next === this.#numbered.length) {
      const isOverflow = this.#nextSequence + this.#following!.count > SEQUENCE_END;
      if (isOverflow && !this.#renewIdentity()) return undefined;
      const batch = this.#following!;
      if (batch === this.open) this.open = undefined;
      else this.waiting.shift();
      this.latestBytes = batch.byteLength;
      batch.sequence = this.#nextSequence;
      this.#nextSequence += batch.count;
      this.#numbered.push(batch);
    }
    this.#underWay++;
    return this.#numbered[this.#next++]!;
  }

  /** The batch that is numbered next. */
  get #following(): OutgoingBatch | undefined {
    return this.waiting[0] ?? (this.#owner.takesOpen ? this.open : undefined);
  }

  /** A batch that was sent is stored, at this offset if that is known. */
  stored(batch: OutgoingBatch, error: Error | undefined): void {
    this.#numbered.splice(this.#numbered.indexOf(batch), 1);
    this.#next--;
    this.#underWay--;
    this.#failures = 0;
    this.#owner.settled(batch, error);
    this.#endRound();
  }

  /**
   * No attempt of a batch was ever read, because a server ends a stream with it. So nothing is
   * stored either of what follows it: that was only ever sent behind it, on the same streams.
   */
  unread(batch: OutgoingBatch): void {
    const place = this.#numbered.indexOf(batch);
    for (const each of this.#numbered.slice(place)) each.mayBeStored = false;
  }

  /** A batch that was sent is not stored, or nobody knows. */
  failed(batch: OutgoingBatch, error: Error): void {
    batch.failure = error;
    if (isUncertain(error)) batch.mayBeStored = true;
    this.#underWay--;
    this.#isStalled = true;
    this.#endRound();
  }

  /**
   * The time of a batch is up. Whoever waits for it is told at once; a batch that is under way is
   * given up, if need be, when its answer has come.
   */
  expire(batch: OutgoingBatch, lastFailure: Error | undefined): void {
    batch.isExpired = true;
    const isSent = this.#numbered.includes(batch);
    const mayBeStored = batch.mayBeStored || (isSent && this.#underWay > 0);
    if (batch === this.open) this.open = undefined;
    const place = this.waiting.indexOf(batch);
    if (place >= 0) this.waiting.splice(place, 1);
    // Only now: it makes room, into which the next records come at once.
    this.#owner.settled(batch, expiryOf(batch, batch.failure ?? lastFailure, mayBeStored));
    if (this.#underWay === 0 && this.#numbered[0] === batch) this.#giveUp(batch.failure!);
  }

  /** Fails everything. What is under way may be stored all the same. */
  abandon(error: Error): void {
    const all = [...this.#numbered, ...this.waiting, ...(this.open ? [this.open] : [])];
    this.#numbered.length = 0;
    this.waiting.length = 0;
    this.open = undefined;
    this.#next = 0;
    for (const batch of all) this.#owner.settled(batch, error);
  }

  #endRound(): void {
    if (!this.#isStalled || this.#underWay > 0) return;
    this.#isStalled = false;
    this.#next = 0;
    const [first] = this.#numbered;
    if (first === undefined) return;
    // It was sent before all others of the round; had it not failed, it would be gone.
    const failure = first.failure!;
    if (isTransient(failure) && !first.isExpired) {
      this.#failures++;
      this.pausedUntilMs = performance.now() + backoffMs(this.#failures);
    } else {
      this.#giveUp(failure);
    }
  }

  /**
   * Decides what becomes of the numbered batches, of which the first can get no further as it is
   * and none is under way.
   *
   * If it is certain of each that it is not stored, their numbers are free again. If it is not, the
   * server may hold a batch under a number, so that another batch of that number would be taken for
   * a repetition and lost. Then those that may be stored are given up, and the others go on in a new
   * epoch, in which nothing of the old one that is still on its way is stored any more.
   */
  #giveUp(failure: Error): void {
    if (hasCode(failure, "PRODUCER_FENCED")) {
      this.#owner.fatal(failure as SeglogError);
      return;
    }
    const [first, ...rest] = this.#numbered.splice(0) as [OutgoingBatch, ...OutgoingBatch[]];
    this.#failures = 0;
    this.pausedUntilMs = 0;
    const isForgotten = hasCode(failure, "SEQUENCE_GAP") && first.sequence > 0;
    const isCertain = !first.mayBeStored && !rest.some(({ mayBeStored }) => mayBeStored);
    let kept = rest;
    if (isForgotten && isCertain) kept = [first, ...rest];
    else if (isCertain && isDivisible(first, failure)) kept = [...this.#split(first), ...rest];
    else this.#owner.settled(first, first.mayBeStored ? leftOpen(failure) : failure);
    const lost = kept.filter(({ mayBeStored }) => mayBeStored);
    for (const batch of lost) this.#owner.settled(batch, followed(failure));
    this.waiting.unshift(...kept.filter((batch) => !batch.mayBeStored && !batch.isExpired));
    if (isCertain && !isForgotten) this.#nextSequence = first.sequence;
    else this.#renewIdentity();
  }

  #split(batch: OutgoingBatch): OutgoingBatch[] {
    const parts = batch.split();
    this.#owner.replaced(batch, parts);
    return parts;
  }

  /** @returns Whether it may go on. */
  #renewIdentity(): boolean {
    if (this.#owner.isNamed) {
      this.#owner.fatal(
        new SeglogError(
          "SEQUENCE_GAP",
          `The producer gave up a batch for ${JSON.stringify(this.key)} that may be stored, or the ` +
            "server has forgotten it. It cannot go on under its name: make a new one of that name.",
        ),
      );
      return false;
    }
    const { id, epoch } = this.#identity;
    this.#identity = { id, epoch: epoch + 1 };
    this.#nextSequence = 0;
    return true;
  }
}

/** Whether it may be that one record of a batch stands in the way of the others. */
function isDivisible(batch: OutgoingBatch, failure: Error): boolean {
  if (batch.isWhole || batch.isExpired || batch.count === 1) return false;
  return hasCode(failure, "RECORD_TOO_LARGE") || hasCode(failure, "BATCH_TOO_LARGE");
}
