import fc from "fast-check";
import { type Mutation, mutate, mutation } from "./mutation.js";
import { seal } from "./seal.js";
import type { Specimen, Tree } from "./specimens.js";

/** A change of one file of a directory. Files are taken modulo how many there are. */
type Change =
  | {
      readonly kind: "bytes";
      readonly file: number;
      readonly other: number;
      readonly mutations: readonly Mutation[];
      readonly sealed: boolean;
    }
  | { readonly kind: "missing"; readonly file: number }
  /** The content of another file, perhaps of another directory. */
  | { readonly kind: "exchanged"; readonly file: number; readonly other: number };

/** What was done to a directory; it prints as what reproduces it. */
export interface Forgery {
  readonly specimen: number;
  readonly changes: readonly Change[];
  readonly positions: boolean;
  readonly chain: boolean;
}

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("bytes" as const),
      file: fc.nat(200),
      other: fc.nat(200),
      mutations: fc.array(mutation, { minLength: 1, maxLength: 3 }),
      sealed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
  },
  fc.record({ kind: fc.constant("missing" as const), file: fc.nat(200) }),
  fc.record({ kind: fc.constant("exchanged" as const), file: fc.nat(200), other: fc.nat(200) }),
);

export const forgery: fc.Arbitrary<Forgery> = fc.record({
  specimen: fc.nat(50),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  positions: fc.boolean(),
  chain: fc.boolean(),
});

/** Carries a forgery out. */
export function forge(
  specimens: readonly Specimen[],
  { specimen, changes, positions, chain }: Forgery,
): Specimen {
  const original = specimens[specimen % specimens.length]!;
  const all = specimens.flatMap(({ files }) => [...files.values()]);
  const files = new Map(original.files);
  for (const each of changes) {
    const names = [...files.keys()].filter((name) => !name.endsWith("LOCK"));
    const name = names[each.file % names.length];
    if (name === undefined) break;
    if (each.kind === "missing") files.delete(name);
    else if (each.kind === "exchanged") files.set(name, all[each.other % all.length]!);
    else {
      const other = all[each.other % all.length]!;
      const forged = mutate(files.get(name)!, each.mutations, other);
      if (each.sealed) seal(name, forged, { positions, chain });
      files.set(name, forged);
    }
  }
  return { ...original, files: files satisfies Tree };
}
