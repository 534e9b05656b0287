import { Random } from "../support/random.js";
import { PROBE_APPENDER } from "./workload.js";

/** What the values of a store are made from; the same for all of its lives. */
export interface ValueShape {
  readonly seed: number;
  /** Most records of a batch. */
  readonly maxBatch: number;
  /** Longest value of the usual kind, in bytes. */
  readonly maxValueBytes: number;
  /** One operation in so many is a single append of {@link largeValueBytes}; 0 for none. */
  readonly largeOneIn: number;
  readonly largeValueBytes: number;
}

/** Who wrote a record: the `index`-th of the `op`-th operation of an appender, in a life. */
export interface RecordName {
  readonly life: number;
  readonly appender: number;
  readonly op: number;
  readonly index: number;
}

const NEWLINE = 10;
/** Longer is no name of ours. */
const MAX_NAME_BYTES = 400;

/** A name as text, for maps and messages. */
export function nameText({ life, appender, op, index }: RecordName): string {
  return `${life}/${appender}/${op}/${index}`;
}

/** How many records an operation appends: 1 is a single append, more are one batch. */
export function recordCount(shape: ValueShape, key: string, name: Omit<RecordName, "index">) {
  const random = randomOf(shape, key, name.life, name.appender, name.op, "count");
  const isSingle = name.appender === PROBE_APPENDER || isLarge(shape, name.op);
  if (isSingle || random.next() < 0.6) return 1;
  return 2 + random.below(shape.maxBatch - 1);
}

/**
 * The value of a record. It begins with its name and key, and goes on with bytes that follow from
 * them, so a judge who knows the shape can tell any change of it, and where it belongs.
 */
export function makeValue(shape: ValueShape, key: string, name: RecordName): Buffer {
  const { life, appender, op, index } = name;
  const random = randomOf(shape, key, life, appender, op, index);
  const head = Buffer.from(`${nameText(name)} ${shape.seed} ${JSON.stringify(key)}\n`);
  const fill = isLarge(shape, op) ? shape.largeValueBytes : random.below(shape.maxValueBytes + 1);
  const value = Buffer.alloc(head.length + fill);
  head.copy(value);
  // Half of them compress, half do not, so that a log with LZ4 holds blocks of both kinds.
  if (random.next() < 0.5) value.fill(head, head.length);
  else fillRandomly(value.subarray(head.length), random);
  return value;
}

/** The name of the record that a value claims to be, or `undefined` if it is none of this key. */
export function nameOf(shape: ValueShape, key: string, value: Uint8Array): RecordName | undefined {
  const end = value.subarray(0, MAX_NAME_BYTES).indexOf(NEWLINE);
  const text = Buffer.from(value.subarray(0, Math.max(end, 0))).toString();
  const match = /^(\d+)\/(\d+)\/(\d+)\/(\d+) (\d+) (.*)$/s.exec(text);
  if (match === null) return undefined;
  const [life, appender, op, index, seed] = match.slice(1, 6).map(Number);
  if (seed !== shape.seed || match[6] !== JSON.stringify(key)) return undefined;
  return { life: life!, appender: appender!, op: op!, index: index! };
}

function isLarge(shape: ValueShape, op: number): boolean {
  return shape.largeOneIn > 0 && op % shape.largeOneIn === shape.largeOneIn - 1;
}

function fillRandomly(bytes: Uint8Array, random: Random): void {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  for (let index = 0; index < words.length; index++) words[index] = random.next() * 2 ** 32;
  bytes.set(new Uint8Array(words.buffer, 0, bytes.length));
}

function randomOf(shape: ValueShape, ...parts: readonly (string | number)[]): Random {
  // FNV-1a: spreads names that differ in little.
  let hash = 0x811c9dc5 ^ shape.seed;
  for (const byte of Buffer.from(parts.join("/"))) hash = Math.imul(hash ^ byte, 0x01000193);
  return new Random(hash);
}
