import { describe, expect, test } from "vitest";
import { examineAnything } from "./anything.js";
import { type Image, withFile } from "./image.js";
import { keyOf, kindOf } from "./layout.js";
import { type Moment, makeSample, type Sample } from "./sample.js";

const TIMEOUT_MS = 1_200_000;

/** A store in which whole files are not what they should be. */
interface Mix {
  readonly what: string;
  readonly image: Image;
  readonly paths: readonly string[];
}

function* removed({ image }: Moment): Generator<Mix> {
  for (const path of image.keys()) {
    yield { what: `without ${path}`, image: withFile(image, path, undefined), paths: [path] };
  }
}

/** Each file as it once was. */
function* older({ image }: Moment, earlier: readonly Moment[]): Generator<Mix> {
  for (const [path, bytes] of image) {
    for (const [index, { image: before }] of earlier.entries()) {
      const old = before.get(path);
      if (old === undefined || Buffer.compare(old, bytes) === 0) continue;
      const what = `${path} as it was at moment ${index}`;
      yield { what, image: withFile(image, path, old), paths: [path] };
    }
  }
}

/** Each file and another one of its kind, each in the place of the other. */
function* swapped({ image }: Moment): Generator<Mix> {
  for (const [one, ofOne] of image) {
    for (const [other, ofOther] of image) {
      if (one >= other || kindOf(one) !== kindOf(other)) continue;
      const mixed = withFile(withFile(image, one, ofOther), other, ofOne);
      yield { what: `${one} and ${other} swapped`, image: mixed, paths: [one, other] };
    }
  }
}

/** Each file replaced by one of another store: of the same name, or of the same log. */
function* foreign({ image }: Moment, other: Moment): Generator<Mix> {
  for (const path of image.keys()) {
    for (const [name, bytes] of other.image) {
      const isAlike =
        kindOf(name) === kindOf(path) && (name === path || keyOf(name) === keyOf(path));
      if (!isAlike) continue;
      const what = `${path} is the other store's ${name}`;
      yield { what, image: withFile(image, path, bytes), paths: [path] };
    }
  }
}

/** Takes everything there is from a sample and another one like it. */
function* mixes(form: "clean" | "killed", one: Sample, other: Sample): Generator<Mix> {
  yield* removed(one[form]);
  yield* older(one[form], one.earlier);
  yield* swapped(one[form]);
  yield* foreign(one[form], other[form]);
}

/*
 * What nothing tells, since nothing that is left names what is gone:
 *
 * - committed offsets as they once were, or none: groups see records again, as after any damage to
 *   the file. (Those that sought back may skip what they meant to read again.)
 * - the data file that was being written to, as it was before its last groups: after an unclean
 *   stop that is what a crash may leave.
 */
function isUndetectable({ paths: [path] }: Mix, { killed }: Sample, form: string): boolean {
  if (kindOf(path!) === "checkpoint") return true;
  if (form === "clean" || kindOf(path!) !== "data") return false;
  const files = [...killed.image.keys()];
  const last = files.findLast((each) => keyOf(each) === keyOf(path!) && kindOf(each) === "data");
  return last === path;
}

describe.each(["clean", "killed"] as const)("whole files of a %s store", (form) => {
  test("missing, older, swapped, or another store's", { timeout: TIMEOUT_MS }, async () => {
    Error.stackTraceLimit = 0;
    const [one, other] = [await makeSample("one"), await makeSample("two")];
    const violations: string[] = [];
    let count = 0;
    for (const mix of mixes(form, one, other)) {
      count++;
      const mixture = { ...mix, moment: one[form], isSilent: isUndetectable(mix, one, form) };
      await examineAnything(mixture).catch((error: Error) => {
        violations.push(`${mix.what}: ${error.message}`);
      });
    }
    expect(violations).toEqual([]);
    expect(count).toBeGreaterThan(200);
  });
});
