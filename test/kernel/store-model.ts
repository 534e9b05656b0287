import { isLack } from "./codes.js";
import { clamped, GroupModel, type GroupState } from "./group-model.js";
import type { Change, CommitChange, CutChange, Entry, JournalLine } from "./journal.js";
import { KeyModel, NO_LOG, type ObservedLog } from "./key-model.js";
import { Submissions } from "./submissions.js";
import { type RecordName, recordCount, type ValueShape } from "./values.js";
import type { Violation } from "./violation.js";
import { ownGroup, type Workload } from "./workload.js";

/** How a life of the victim ended. */
export type LifeEnd = "process gone" | "power cut";

/** A store as it was read after its writer was gone. */
export interface ObservedStore {
  readonly logs: ReadonlyMap<string, ObservedLog>;
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** What was counted. */
export interface Counts {
  acknowledged: number;
  commits: number;
  /**
   * Records that a power cut took: acknowledged under a policy that allows it, or under any policy
   * after the cut had begun, since an fdatasync that races it can succeed in vain on both file
   * systems (so it does for a program that does nothing but write and sync).
   */
  lostAsAllowed: number;
}

/** What a value begins with is shorter. */
const MOST_NAME_BYTES = 100;
const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

interface Asked {
  readonly change: Change;
  /** Where the logs, and the groups, had come to by then. */
  readonly ends: Map<string, number>;
  readonly states: ReadonlyMap<string, number>;
}

/** Failures of which it is known that they changed nothing. */
const WITHOUT_EFFECT = new Set([
  "NO_SPACE",
  "TOO_MANY_OPEN_FILES",
  "OFFSET_OUT_OF_RANGE",
  "KEY_NOT_FOUND",
  "CLOSED",
]);

/**
 * What must, may and must not be in a store, by the journals of all lives that wrote to it. Where a
 * life ended in the middle of a change of a log, there is more than one way how it can have come
 * out: then a key has several models, and what is read must fit one of them.
 */
export class StoreModel {
  readonly counts: Counts = { acknowledged: 0, commits: 0, lostAsAllowed: 0 };
  readonly #shape: ValueShape;
  readonly #keys = new Map<string, KeyModel[]>();
  readonly #groups = new Map<string, GroupModel>();
  readonly #submissions = new Submissions();
  readonly #violations: Violation[] = [];
  #asked = new Map<number, Asked>();
  #workload!: Workload;
  /** Whether this life has committed anything, which writes all that was committed before anew. */
  #hasCommitted = false;

  constructor(shape: ValueShape) {
    this.#shape = shape;
  }

  /** A life begins. */
  begin(workload: Workload): void {
    this.#workload = workload;
    this.#submissions.begin(workload);
    this.#asked = new Map();
    this.#hasCommitted = false;
    for (const { key, role, appenders } of workload.keys) {
      // What was appended and never acknowledged may be there, too, so every key has a model.
      const model = this.#key(key);
      const activeBytes = mostInActiveSegment(workload, appenders);
      model.mayHoldUnsealed(activeBytes);
      const { retention } = workload.options;
      if (retention === undefined) continue;
      // A cut may take the active segment in addition to what retention has left.
      const keptBytes = role === "plain" ? (retention.bytes ?? 0) - 2 * activeBytes : 0;
      model.mayExpire(keptBytes);
    }
  }

  /** Whether there is only one way how the changes so far can have come out. */
  get isCertain(): boolean {
    return [...this.#keys.values()].every((models) => models.length === 1);
  }

  take({ entry, isLate }: JournalLine): void {
    switch (entry.type) {
      case "bounds":
        if (entry.code === undefined) this.#reopened(entry.key, entry.endOffset, !isLate);
        break;
      case "appended":
        this.#appended(entry, isLate);
        break;
      case "refused":
        this.#submissions.take(this.#workload.life, entry);
        this.#key(entry.key).refuse(this.#namesOf(entry), WITHOUT_EFFECT.has(entry.code));
        break;
      case "asked":
        this.#ask(entry.id, entry.change);
        break;
      case "done":
        this.#done(entry.id, isLate);
        break;
      case "failed":
        this.#failed(entry.id, entry.code);
        break;
      default:
    }
  }

  /** The life is over; what it had asked for and not heard of may have happened or not. */
  end(how: LifeEnd): void {
    if (how === "power cut") {
      for (const models of this.#keys.values()) for (const model of models) model.powerCut();
      for (const group of this.#groups.values()) group.powerCut();
    }
    for (const { change } of this.#asked.values()) this.#mayHaveHappened(change);
    this.#asked.clear();
  }

  /** Compares what was read with what must be there. */
  check(observed: ObservedStore): Violation[] {
    return this.#compare(observed).violations;
  }

  /** As {@link check}, and goes on from what was read if all is well. */
  judge(observed: ObservedStore): Violation[] {
    const { violations, models, states } = this.#compare(observed);
    if (violations.length > 0) return violations;
    for (const [key, model] of models) {
      const log = observed.logs.get(key) ?? NO_LOG;
      this.counts.lostAsAllowed += model.adopt(log, this.#workload.life);
      this.#keys.set(key, [model]);
    }
    for (const [name, group] of this.#groups) {
      group.adopt(observed.groups.get(name) ?? new Map(), states.get(name)!);
    }
    return [];
  }

  /** @returns Beside what is wrong, the models of the keys and the states of the groups that fit. */
  #compare(observed: ObservedStore) {
    const violations = [...this.#violations];
    const models = new Map<string, KeyModel>();
    for (const [key, candidates] of this.#keys) {
      const log = observed.logs.get(key) ?? NO_LOG;
      const verdicts = candidates.map((model) => model.check(log, this.#submissions));
      const right = verdicts.findIndex((verdict) => verdict.length === 0);
      if (right >= 0) models.set(key, candidates[right]!);
      else violations.push(...shortest(verdicts));
    }
    for (const key of observed.logs.keys()) {
      if (this.#keys.has(key)) continue;
      violations.push({ kind: "made up", message: `there is a key ${JSON.stringify(key)}` });
    }
    const ends = new Map([...observed.logs].map(([key, { endOffset }]) => [key, endOffset]));
    const states = new Map<string, number>();
    for (const [name, group] of this.#groups) {
      const found = group.find(observed.groups.get(name) ?? new Map(), ends);
      if (typeof found === "number") states.set(name, found);
      else violations.push(found);
    }
    for (const name of observed.groups.keys()) {
      if (this.#groups.has(name)) continue;
      violations.push({ kind: "made up", message: `there is a group ${JSON.stringify(name)}` });
    }
    return { violations, models, states };
  }

  /** The model of a key that takes what comes. */
  #key(key: string): KeyModel {
    let models = this.#keys.get(key);
    if (models === undefined) {
      models = [new KeyModel(key, this.#shape)];
      this.#keys.set(key, models);
    }
    return models[models.length - 1]!;
  }

  /** Keeps the model of a key as it is, and goes on with one that a change may make of it. */
  #fork(key: string): KeyModel {
    const model = this.#key(key);
    this.#keys.get(key)!.unshift(model.clone());
    return model;
  }

  #group(name: string): GroupModel {
    const group = this.#groups.get(name) ?? new GroupModel(name);
    this.#groups.set(name, group);
    return group;
  }

  #namesOf(entry: { key: string; appender: number; op: number }): RecordName[] {
    const { key, appender, op } = entry;
    const first = { life: this.#workload.life, appender, op, index: 0 };
    const count = recordCount(this.#shape, key, first);
    return Array.from({ length: count }, (_, index) => ({ ...first, index }));
  }

  #appended(entry: Extract<Entry, { type: "appended" }>, isLate: boolean): void {
    this.#submissions.take(this.#workload.life, entry);
    const names = this.#namesOf(entry);
    const isDurable = !isLate && this.#workload.durability === "always";
    const accept = (model: KeyModel) => model.accept(names, entry.baseOffset, !isLate, isDurable);
    const wrong = accept(this.#key(entry.key));
    if (wrong !== undefined) this.#violations.push(wrong);
    if (isLate) return;
    this.counts.acknowledged += names.length;
    // It follows whichever way the change before it came out, if that was not this life's end.
    const others = this.#keys.get(entry.key)!.slice(0, -1);
    const possible = others.filter((model) => accept(model) === undefined);
    this.#keys.set(entry.key, [...possible, this.#key(entry.key)]);
  }

  #reopened(key: string, endOffset: number, isDurable: boolean): void {
    const { lost, violations } = this.#key(key).reopened(endOffset, isDurable);
    this.counts.lostAsAllowed += lost;
    this.#violations.push(...violations);
    for (const group of this.#groups.values()) group.clamp(key, endOffset);
  }

  #ask(id: number, change: Change): void {
    const ends = new Map([...this.#keys.keys()].map((key) => [key, this.#key(key).heldEnd]));
    const states = new Map([...this.#groups].map(([name, group]) => [name, group.held]));
    this.#asked.set(id, { change, ends, states });
    if (change.kind === "trim") this.#key(change.key).mayStartAt(change.offset);
  }

  #done(id: number, isLate: boolean): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) throw new Error(`the victim answers what it did not ask: ${id}`);
    this.#asked.delete(id);
    const { change } = asked;
    if (isLate) {
      this.#mayHaveHappened(change);
      return;
    }
    switch (change.kind) {
      case "commit":
      case "seek":
        this.counts.commits++;
        this.#hasCommitted = true;
        this.#commit(change, true);
        this.#group(change.group).hold(this.#workload.durability === "always");
        break;
      case "truncate":
      case "delete":
        this.#cut(this.#key(change.key), change);
        // A flush that was asked for before covers nothing that is behind the new end.
        for (const { ends } of this.#asked.values()) ends.delete(change.key);
        this.#changeOwnGroup(change, true)?.hold(true);
        break;
      case "trim":
        this.#key(change.key).startsAt(change.offset);
        break;
      default:
        this.#flushed(asked);
    }
  }

  #failed(id: number, code: string): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked === undefined) return;
    const { change } = asked;
    // A deletion fails as a whole only before its first step.
    if (WITHOUT_EFFECT.has(code) && (change.kind !== "delete" || !isLack(code))) return;
    // Its log could not even be opened; a failure while writing would have poisoned it.
    if (code === "IO_ERROR" && change.kind !== "delete") return;
    this.#mayHaveHappened(change);
  }

  #mayHaveHappened(change: Change): void {
    if (change.kind === "commit" || change.kind === "seek") this.#commit(change, false);
    if (change.kind !== "truncate" && change.kind !== "delete") return;
    this.#cut(this.#fork(change.key), change);
    this.#changeOwnGroup(change, false);
  }

  #cut(model: KeyModel, change: CutChange): void {
    if (change.kind === "truncate") model.truncate(change.offset);
    else model.remove();
  }

  #commit({ kind, group, offsets }: CommitChange, isCertain: boolean): void {
    const apply = (before: GroupState) => {
      const state = new Map(before);
      for (const [key, next] of offsets) {
        state.set(key, kind === "seek" ? next : Math.max(next, state.get(key) ?? 0));
      }
      return state;
    };
    this.#group(group).change(apply, isCertain);
  }

  /** @returns The group of the actor that changed a log; it alone has committed offsets of it. */
  #changeOwnGroup(change: CutChange, isCertain: boolean): GroupModel | undefined {
    const group = this.#groups.get(ownGroup(change.key));
    const apply = (state: GroupState) =>
      change.kind === "truncate"
        ? clamped(state, change.key, change.offset)
        : new Map([...state].filter(([key]) => key !== change.key));
    group?.change(apply, isCertain);
    return group;
  }

  /** Everything accepted before the flush was asked for is on stable storage. */
  #flushed({ ends, states }: Asked): void {
    for (const [key, end] of ends) this.#key(key).flushed(end);
    if (!this.#hasCommitted) return;
    for (const [name, index] of states) this.#group(name).flushed(index);
  }
}

/** How many bytes of values the active segment of a log may hold; Infinity if they are compressed. */
function mostInActiveSegment(workload: Workload, appenders: number): number {
  const { shape, options, window } = workload;
  if (options.compression !== "none") return Number.POSITIVE_INFINITY;
  const longest = MOST_NAME_BYTES + Math.max(shape.maxValueBytes, shape.largeValueBytes);
  // A batch longer than a segment has one of its own; so has a batch of single appends.
  const singles = window * appenders * longest;
  const batch = shape.maxBatch * (MOST_NAME_BYTES + shape.maxValueBytes);
  return Math.max(options.segmentBytes ?? DEFAULT_SEGMENT_BYTES, singles, batch);
}

function shortest(verdicts: readonly Violation[][]): Violation[] {
  return verdicts.reduce((best, each) => (each.length < best.length ? each : best));
}
