import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROBES } from "./decoders.js";
import { mutate, mutation } from "./mutation.js";
import { SEED, timeLimit, tries } from "./runs.js";
import { seal } from "./seal.js";
import { collectSpecimens } from "./specimens.js";

const specimens = await collectSpecimens();
const files = specimens.flatMap((specimen) =>
  [...specimen.files].map(([name, bytes]) => ({ name, bytes, of: specimen.name })),
);

/** As readers see bytes: as a piece of a larger buffer that begins anywhere, never a `Buffer`. */
function asPiece(bytes: Uint8Array): Uint8Array {
  const around = new Uint8Array(bytes.length + 20).fill(0xa5);
  around.set(bytes, 7);
  return around.subarray(7, 7 + bytes.length);
}

const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 400 }));
const changes = fc.record({
  file: fc.nat(),
  other: fc.nat(),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
  sealed: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  positions: fc.boolean(),
  chain: fc.boolean(),
});

describe(`hostile bytes (seed ${SEED}): a value that encodes to itself, or a reason`, () => {
  for (const [what, [, probe]] of Object.entries(PROBES)) {
    it(`any bytes as ${what}`, { timeout: timeLimit(500) }, () => {
      fc.assert(
        fc.property(anyBytes, (bytes) => {
          probe(asPiece(bytes));
        }),
        tries(1000),
      );
    });
  }

  for (const [what, [pattern, probe]] of Object.entries(PROBES)) {
    if (pattern === undefined) continue;
    const originals = files.filter(({ name }) => pattern.test(name));
    it(`${what}, changed, mostly with right checksums`, { timeout: timeLimit(2000) }, () => {
      for (const { bytes, name, of } of originals) {
        // Proves that the probe sees more than refusals. A log without records has no blocks.
        const isEmpty = bytes.length <= 80 && what === "a data file";
        expect(probe(asPiece(bytes)) || isEmpty, `${of}/${name} as it is`).toBe(true);
      }
      let behindChecksums = 0;
      fc.assert(
        fc.property(changes, ({ file, other, mutations, sealed, positions, chain }) => {
          const { name, bytes } = originals[file % originals.length]!;
          const forged = mutate(bytes, mutations, files[other % files.length]!.bytes);
          if (sealed) seal(name, forged, { positions, chain });
          if (probe(asPiece(forged))) behindChecksums++;
        }),
        tries(2500),
      );
      expect(behindChecksums).toBeGreaterThan(tries(2500).numRuns / 10);
    });
  }
});
