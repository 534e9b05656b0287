import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSegmentFileName, segmentFileName } from "../../src/format/file-names.js";

const kind = fc.constantFrom("data" as const, "offsetIndex" as const, "timeIndex" as const);

describe("segment file names", () => {
  it("are what the format says", () => {
    expect(segmentFileName(0, "data")).toBe("00000000000000000000.log");
    expect(segmentFileName(42, "offsetIndex")).toBe("00000000000000000042.index");
    expect(segmentFileName(2 ** 53 - 1, "timeIndex")).toBe("00009007199254740991.timeindex");
  });

  it("come apart again", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), kind, (baseOffset, each) => {
        const name = segmentFileName(baseOffset, each);
        expect(parseSegmentFileName(name)).toEqual({ baseOffset, kind: each });
      }),
    );
  });

  it("sort like their offsets", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, other) => {
        const byName = segmentFileName(one, "data") < segmentFileName(other, "data");
        expect(byName).toBe(one < other);
      }),
    );
  });

  it.each([
    "",
    ".log",
    "0.log",
    "0000000000000000000.log",
    "000000000000000000000.log",
    "00009007199254740992.log",
    "99999999999999999999.log",
    "0000000000000000000a.log",
    "-0000000000000000001.log",
    "00000000000000000000",
    "00000000000000000000.LOG",
    "00000000000000000000.log.tmp",
    "00000000000000000000.log.cut-80-1",
    "00000000000000000000.timeindex\n",
    "٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠.log",
    "log.meta",
  ])("leave the foreign name %j alone", (name) => {
    expect(parseSegmentFileName(name)).toBeUndefined();
  });
});
