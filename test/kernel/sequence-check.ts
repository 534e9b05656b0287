import { nameText, type RecordName, recordCount, type ValueShape } from "./values.js";
import type { Violation } from "./violation.js";

/** What is known of the records of a log beside their values. */
export interface Expectations {
  readonly key: string;
  readonly shape: ValueShape;
  /** Lives up to this one are known record by record already. */
  readonly judgedLife: number;
  /** Whether the first records may be missing, since the start has moved. */
  readonly isTrimmed: boolean;
  /** Whether a truncation may have ended the log at this offset, in the middle of a batch. */
  mayBeCutAt(offset: number): boolean;
  /** Whether a record may be missing among others: refused, truncated, or deleted with its key. */
  mayBeMissing(name: string): boolean;
}

/**
 * Checks that the records of a log are what its appenders wrote, in the order of each of them,
 * without a hole, and in whole batches.
 */
export function checkSequence(
  names: readonly RecordName[],
  startOffset: number,
  { key, shape, judgedLife, isTrimmed, mayBeCutAt, mayBeMissing }: Expectations,
): Violation[] {
  const violations: Violation[] = [];
  const last = new Map<string, RecordName>();
  const complain = (kind: Violation["kind"], index: number, what: string) => {
    const message = `key ${JSON.stringify(key)}, offset ${startOffset + index}: ${what}`;
    violations.push({ kind, message });
  };
  const after = (name: RecordName): RecordName =>
    name.index + 1 < recordCount(shape, key, name)
      ? { ...name, index: name.index + 1 }
      : { ...name, op: name.op + 1, index: 0 };

  names.forEach((name, index) => {
    if (name.life <= judgedLife) return;
    const before = names[index - 1];
    if (before !== undefined && before.life > name.life) {
      complain("made up", index, `${nameText(name)} stands behind a later life`);
    }
    const appender = `${name.life}/${name.appender}`;
    const previous = last.get(appender);
    last.set(appender, name);
    if (previous === undefined && isTrimmed) return;
    let next = previous === undefined ? { ...name, op: 0, index: 0 } : after(previous);
    if (isBefore(name, next)) {
      complain("made up", index, `${nameText(name)} is out of order, or there twice`);
      return;
    }
    for (; isBefore(next, name); next = after(next)) {
      if (mayBeMissing(nameText(next))) continue;
      complain("lost", index, `${nameText(next)} is missing before ${nameText(name)}`);
      return;
    }
  });

  names.forEach((name, index) => {
    if (name.life <= judgedLife) return;
    const next = after(name);
    const following = names[index + 1];
    if (next.index === 0) return;
    if (following !== undefined && nameText(following) === nameText(next)) return;
    if (mayBeMissing(nameText(next)) || mayBeCutAt(startOffset + index + 1)) return;
    complain("made up", index, `a part of a batch: ${nameText(next)} does not follow`);
  });
  return violations;
}

function isBefore(one: RecordName, other: RecordName): boolean {
  return one.op < other.op || (one.op === other.op && one.index < other.index);
}
