import { checkSequence } from "./sequence-check.js";
import type { Submissions } from "./submissions.js";
import { makeValue, nameOf, nameText, type RecordName, type ValueShape } from "./values.js";
import type { Violation } from "./violation.js";

/** A log as it was read; one without records stands for a key that does not exist. */
export interface ObservedLog {
  readonly startOffset: number;
  readonly endOffset: number;
  /** Of the offsets from start to end. */
  readonly values: readonly Uint8Array[];
  /** Length of its data files. */
  readonly bytes: number;
}

/** A key that is not there reads as an empty log. */
export const NO_LOG: ObservedLog = { startOffset: 0, endOffset: 0, values: [], bytes: 0 };

/** What must, may and must not be in the log of one key. */
export class KeyModel {
  readonly #key: string;
  readonly #shape: ValueShape;
  /** Names of the records that were given an offset, by offset. */
  #accepted = new Map<number, string>();
  /** What lies below is on stable storage. */
  #durableEnd = 0;
  /** What lies below is there unless the power is cut. */
  #heldEnd = 0;
  /** What lies below was acknowledged, whatever has happened since. */
  #toldEnd = 0;
  /** The most that an active segment holds: more than that no power cut takes. */
  #unsealedBytes = 0;
  #leastStart = 0;
  #mostStart = 0;
  /** What retention leaves at least, once it has moved the start. */
  #keptBytes = 0;
  /** Where truncations have ended the log: also among records that were never acknowledged. */
  #cuts = new Set<number>();
  /** Names that must not be there (again). */
  #gone = new Set<string>();
  /** Names of which nobody knows: their append failed with an outcome that is not known. */
  #unknown = new Set<string>();
  /** What lives up to this one wrote is known. */
  #judgedLife = 0;

  constructor(key: string, shape: ValueShape) {
    this.#key = key;
    this.#shape = shape;
  }

  clone(): KeyModel {
    const copy = new KeyModel(this.#key, this.#shape);
    copy.#accepted = new Map(this.#accepted);
    copy.#durableEnd = this.#durableEnd;
    copy.#heldEnd = this.#heldEnd;
    copy.#toldEnd = this.#toldEnd;
    copy.#unsealedBytes = this.#unsealedBytes;
    copy.#keptBytes = this.#keptBytes;
    copy.#leastStart = this.#leastStart;
    copy.#mostStart = this.#mostStart;
    copy.#cuts = new Set(this.#cuts);
    copy.#gone = new Set(this.#gone);
    copy.#unknown = new Set(this.#unknown);
    copy.#judgedLife = this.#judgedLife;
    return copy;
  }

  /** One past the last offset that was acknowledged. */
  get heldEnd(): number {
    return this.#heldEnd;
  }

  /**
   * An append was given its offset.
   *
   * @param isHeld - Whether it was acknowledged, so that it is there unless the power is cut.
   * @param isDurable - Whether it is there also then.
   * @returns A violation if the offset belongs to another record.
   */
  accept(
    names: readonly RecordName[],
    baseOffset: number,
    isHeld: boolean,
    isDurable: boolean,
  ): Violation | undefined {
    let violation: Violation | undefined;
    names.forEach((name, index) => {
      const offset = baseOffset + index;
      const other = this.#accepted.get(offset);
      if (other !== undefined) {
        violation = this.#complaint("made up", offset, `given to ${other} and ${nameText(name)}`);
      }
      this.#accepted.set(offset, nameText(name));
    });
    const end = baseOffset + names.length;
    if (isHeld) this.#heldEnd = Math.max(this.#heldEnd, end);
    if (isHeld) this.#toldEnd = Math.max(this.#toldEnd, end);
    if (isDurable) this.#durableEnd = Math.max(this.#durableEnd, end);
    return violation;
  }

  /** Records whose append failed: known not to be stored, or not known. */
  refuse(names: readonly RecordName[], isKnown: boolean): void {
    for (const name of names) (isKnown ? this.#gone : this.#unknown).add(nameText(name));
  }

  /** What lies below `end` is on stable storage. */
  flushed(end: number): void {
    this.#durableEnd = Math.max(this.#durableEnd, end);
  }

  /** The log ends at `offset` now; that is durable. */
  truncate(offset: number): void {
    this.#cuts.add(offset);
    this.#forget(offset);
    this.#durableEnd = Math.min(this.#durableEnd, offset);
    this.#heldEnd = Math.min(this.#heldEnd, offset);
    this.#toldEnd = Math.min(this.#toldEnd, offset);
  }

  /** The key is no more; that is durable. Its name may come back with another log. */
  remove(): void {
    this.#forget(0);
    this.#durableEnd = 0;
    this.#heldEnd = 0;
    this.#toldEnd = 0;
    this.#leastStart = 0;
    this.#mostStart = 0;
  }

  /** An active segment holds at most so many bytes of values; what is sealed is synced. */
  mayHoldUnsealed(bytes: number): void {
    const isAllDurable = this.#toldEnd <= this.#durableEnd;
    this.#unsealedBytes = isAllDurable ? bytes : Math.max(this.#unsealedBytes, bytes);
  }

  /** Retention may move the start, and leaves at least so many bytes. */
  mayExpire(keptBytes: number): void {
    this.#mostStart = Number.POSITIVE_INFINITY;
    this.#keptBytes = keptBytes;
  }

  /** The start may have moved up to `offset`. */
  mayStartAt(offset: number): void {
    this.#mostStart = Math.max(this.#mostStart, offset);
  }

  /** The start has moved to `offset`, durably. */
  startsAt(offset: number): void {
    this.#leastStart = Math.max(this.#leastStart, offset);
  }

  /** Whatever was not on stable storage may be gone. */
  powerCut(): void {
    this.#heldEnd = this.#durableEnd;
  }

  /**
   * The log was opened, which puts all that is there on stable storage.
   *
   * @param isDurable - Whether that was over before the power was cut.
   * @returns How many acknowledged records were lost, as the policy allows, and what is wrong.
   */
  reopened(
    endOffset: number,
    isDurable: boolean,
  ): { readonly lost: number; readonly violations: Violation[] } {
    const violations = this.#missing(endOffset);
    let lost = 0;
    for (const [offset, name] of this.#accepted) {
      if (offset < endOffset) continue;
      this.#accepted.delete(offset);
      this.#gone.add(name);
      lost++;
    }
    this.#toldEnd = Math.min(this.#toldEnd, endOffset);
    this.#durableEnd = isDurable ? endOffset : Math.min(this.#durableEnd, endOffset);
    this.#heldEnd = isDurable ? endOffset : Math.min(this.#heldEnd, endOffset);
    return { lost: Math.max(0, lost - violations.length), violations };
  }

  /** Everything that is wrong with a log that was read after its writer was gone. */
  check(observed: ObservedLog, submissions: Submissions): Violation[] {
    const { startOffset, endOffset, values, bytes } = observed;
    const violations = this.#missing(endOffset);
    if (startOffset > this.#leastStart && bytes < this.#keptBytes) {
      const what = `the start; ${bytes} bytes are left, where retention keeps ${this.#keptBytes}`;
      violations.push(this.#complaint("lost", startOffset, what));
    }
    if (startOffset < this.#leastStart && endOffset > 0) {
      const what = `the start, though it was moved to ${this.#leastStart}`;
      violations.push(this.#complaint("made up", startOffset, what));
    }
    if (startOffset > this.#mostStart) {
      violations.push(this.#complaint("lost", startOffset, `the start, not ${this.#mostStart}`));
    }
    const names: RecordName[] = [];
    values.forEach((value, index) => {
      const offset = startOffset + index;
      const name = nameOf(this.#shape, this.#key, value);
      const wrong = this.#wrongWith(name, value, offset, submissions);
      if (wrong !== undefined) violations.push(wrong);
      if (name !== undefined) names.push(name);
    });
    if (names.length < values.length) return violations;
    const sequence = checkSequence(names, startOffset, {
      key: this.#key,
      shape: this.#shape,
      judgedLife: this.#judgedLife,
      isTrimmed: startOffset > 0,
      mayBeCutAt: (offset) => this.#cuts.has(offset),
      mayBeMissing: (name) => this.#gone.has(name) || this.#unknown.has(name),
    });
    return [...violations, ...sequence];
  }

  /**
   * Goes on from what was read: it is what the log is now, on stable storage.
   *
   * @param life - The last one that wrote.
   * @returns How many acknowledged records were lost, as the policy allows.
   */
  adopt(observed: ObservedLog, life: number): number {
    const { startOffset, endOffset, values } = observed;
    const { lost } = this.reopened(endOffset, true);
    this.#accepted = new Map(
      values.map((value, index) => [
        startOffset + index,
        nameText(nameOf(this.#shape, this.#key, value)!),
      ]),
    );
    this.#leastStart = startOffset;
    this.#mostStart = startOffset;
    this.#keptBytes = 0;
    this.#cuts.clear();
    this.#gone.clear();
    this.#unknown.clear();
    this.#judgedLife = life;
    return lost;
  }

  #forget(from: number): void {
    for (const [offset, name] of this.#accepted) {
      if (offset < from) continue;
      this.#accepted.delete(offset);
      this.#gone.add(name);
    }
  }

  #missing(endOffset: number): Violation[] {
    const violations: Violation[] = [];
    for (const [offset, name] of this.#accepted) {
      if (offset < endOffset || offset >= this.#heldEnd) continue;
      violations.push(this.#complaint("lost", offset, `${name}; the log ends at ${endOffset}`));
    }
    if (violations.length === 0 && endOffset < this.#heldEnd) {
      const what = `the end, not ${this.#heldEnd}`;
      violations.push(this.#complaint("lost", endOffset, what));
    }
    const bytes = this.#acknowledgedBytes(endOffset);
    if (violations.length === 0 && bytes > this.#unsealedBytes) {
      const what = `the end; ${bytes} bytes of values are lost, which no one segment holds`;
      violations.push(this.#complaint("lost", endOffset, what));
    }
    return violations;
  }

  /** Length of the values that were acknowledged from `endOffset` on. */
  #acknowledgedBytes(endOffset: number): number {
    let bytes = 0;
    for (let offset = endOffset; offset < this.#toldEnd; offset++) {
      const [life, appender, op, index] = this.#accepted.get(offset)?.split("/").map(Number) ?? [];
      if (life === undefined) continue;
      const name = { life, appender: appender!, op: op!, index: index! };
      bytes += makeValue(this.#shape, this.#key, name).length;
    }
    return bytes;
  }

  #wrongWith(
    name: RecordName | undefined,
    value: Uint8Array,
    offset: number,
    submissions: Submissions,
  ): Violation | undefined {
    const expected = this.#accepted.get(offset);
    if (name === undefined) {
      const text = JSON.stringify(Buffer.from(value.subarray(0, 80)).toString("latin1"));
      return this.#complaint("made up", offset, `${text} of ${value.length} bytes is no value`);
    }
    const text = nameText(name);
    if (expected !== undefined && expected !== text) {
      return this.#complaint("lost", offset, `${expected}; ${text} stands there`);
    }
    if (Buffer.compare(makeValue(this.#shape, this.#key, name), value) !== 0) {
      return this.#complaint("lost", offset, `${text} is altered (${value.length} bytes)`);
    }
    if (expected !== undefined) return undefined;
    if (name.life <= this.#judgedLife || this.#gone.has(text)) {
      return this.#complaint("made up", offset, `${text} was gone, and is back`);
    }
    if (submissions.mayHold(this.#key, name)) return undefined;
    return this.#complaint("made up", offset, `${text} was never appended`);
  }

  #complaint(kind: Violation["kind"], offset: number, what: string): Violation {
    return { kind, message: `key ${JSON.stringify(this.#key)}, offset ${offset}: ${what}` };
  }
}
