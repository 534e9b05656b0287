import fc from "fast-check";

/** Numbers at which limits, signs and widths of integers end. */
const EDGES = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x0100_0000n,
  0x0801_0000n,
  0x0801_0001n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  2n ** 32n,
  2n ** 40n,
  2n ** 53n - 2n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A change of bytes. Places and lengths are taken modulo what there is. */
export type Mutation =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "set"; readonly at: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "number";
      readonly at: number;
      readonly width: 2 | 4 | 8;
      readonly value: bigint;
    }
  | { readonly kind: "add"; readonly at: number; readonly width: 4 | 8; readonly by: number }
  | { readonly kind: "cut"; readonly at: number }
  | { readonly kind: "remove"; readonly at: number; readonly length: number }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "move"; readonly from: number; readonly length: number; readonly at: number }
  | { readonly kind: "repeat"; readonly from: number; readonly length: number; readonly at: number }
  /** Takes a piece of another file, from the same place or from elsewhere. */
  | {
      readonly kind: "splice";
      readonly from: number;
      readonly length: number;
      readonly at: number;
    };

/** Headers stand at the beginning and matter most. */
const place = fc.oneof(
  { weight: 3, arbitrary: fc.nat(160) },
  { weight: 2, arbitrary: fc.nat(2 ** 20) },
);
/** Most fields stand at even places. */
const fieldPlace = place.map((at) => at & ~1);
const length = fc.oneof(fc.nat(16), fc.nat(300), fc.nat(5000));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 24 });

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("set" as const), at: place, bytes }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("number" as const),
      at: fieldPlace,
      width: fc.constantFrom(2 as const, 4 as const, 8 as const),
      value: fc.constantFrom(...EDGES),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      at: fieldPlace,
      width: fc.constantFrom(4 as const, 8 as const),
      by: fc.integer({ min: -100, max: 100 }),
    }),
  },
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(2 ** 20) }),
  fc.record({ kind: fc.constant("remove" as const), at: place, length }),
  fc.record({ kind: fc.constant("insert" as const), at: place, bytes }),
  fc.record({ kind: fc.constant("move" as const), from: place, length, at: place }),
  fc.record({ kind: fc.constant("repeat" as const), from: place, length, at: place }),
  fc.record({ kind: fc.constant("splice" as const), from: place, length, at: place }),
);

/** Applies changes one after the other to a copy. `other` is where splices come from. */
export function mutate(
  original: Uint8Array,
  mutations: readonly Mutation[],
  other: Uint8Array,
): Buffer<ArrayBuffer> {
  let current: Buffer<ArrayBuffer> = Buffer.from(original);
  for (const each of mutations) current = apply(current, each, other);
  return current;
}

function apply(
  original: Buffer<ArrayBuffer>,
  change: Mutation,
  other: Uint8Array,
): Buffer<ArrayBuffer> {
  const size = original.length;
  const within = (position: number) => (size === 0 ? 0 : position % size);
  const piece = (source: Uint8Array, from: number, count: number) =>
    source.subarray(source.length === 0 ? 0 : from % source.length).subarray(0, count);
  const at = "at" in change ? within(change.at) : 0;
  const insert = (added: Uint8Array, into = original) =>
    Buffer.concat([into.subarray(0, at), added, into.subarray(at)]);
  switch (change.kind) {
    case "flip":
      if (size > 0) original[at]! ^= 1 << change.bit;
      return original;
    case "set":
      original.set(change.bytes.subarray(0, size - at), at);
      return original;
    case "number":
    case "add": {
      if (at + change.width > size) return original;
      const value =
        change.kind === "number"
          ? change.value
          : numberAt(original, at, change.width) + BigInt(change.by);
      putNumber(original, at, change.width, value);
      return original;
    }
    case "cut":
      return Buffer.from(original.subarray(0, at));
    case "remove":
      return Buffer.concat([original.subarray(0, at), original.subarray(at + change.length)]);
    case "insert":
      return insert(change.bytes);
    case "repeat":
      return insert(piece(original, change.from, change.length));
    case "splice":
      return insert(piece(other, change.from, change.length));
    case "move": {
      const moved = Buffer.from(piece(original, change.from, change.length));
      const from = within(change.from);
      const rest = [original.subarray(0, from), original.subarray(from + moved.length)];
      return insert(moved, Buffer.concat(rest));
    }
  }
}

function numberAt(bytes: Buffer, at: number, width: 4 | 8 | 2): bigint {
  return width === 8 ? bytes.readBigUInt64LE(at) : BigInt(bytes.readUIntLE(at, width));
}

function putNumber(bytes: Buffer, at: number, width: 4 | 8 | 2, value: bigint): void {
  const fitting = BigInt.asUintN(width * 8, value);
  if (width === 8) bytes.writeBigUInt64LE(fitting, at);
  else bytes.writeUIntLE(Number(fitting), at, width);
}
