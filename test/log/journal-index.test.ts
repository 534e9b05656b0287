import { describe, expect, it } from "vitest";
import { JournalIndex } from "../../src/log/tail/journal-index.js";

/** Adds records of logs, named by letters, at the places 0, 1 and so on. */
function indexOf(logs: string): JournalIndex {
  const index = new JournalIndex();
  const next = new Map<string, number>();
  [...logs].forEach((log, place) => {
    const offset = next.get(log) ?? 0;
    index.add(index.runFor(log), offset, place, 0, false);
    next.set(log, offset + 1);
  });
  return index;
}

describe("the index of a journal", () => {
  it("tells what segments may lack", () => {
    const index = indexOf("aabaa");
    index.settled("a", 3);
    expect([[...index.unsettled()], index.firstUnsettledPlace()]).toEqual([["a", "b"], 2]);
    expect(["a", "b", "c"].map((log) => index.unsettledCount(log))).toEqual([1, 1, 0]);
    index.settled("b", 1);
    index.settled("a", 2);
    expect([[...index.unsettled()], index.firstUnsettledPlace()]).toEqual([["a"], 4]);
  });

  it("tells what segments may lack, after records that they have are freed, too", () => {
    const index = indexOf("aabaa");
    index.settled("a", 4);
    expect([[...index.unsettled()], index.firstUnsettledPlace()]).toEqual([["b"], 2]);
    index.dropBefore(2);
    expect(index.runOf("a")).toEqual({ firstOffset: 2, endOffset: 4, places: [3, 4] });
    index.add(index.runFor("a"), 4, 5, 0, false);
    index.settled("b", 9);
    expect([[...index.unsettled()], index.firstUnsettledPlace()]).toEqual([["a"], 5]);
  });

  it("begins a run anew where offsets do not follow each other", () => {
    const index = indexOf("aaa");
    index.settled("a", 3);
    index.add(index.runFor("a"), 7, 3, 0, false);
    expect(index.runOf("a")).toEqual({ firstOffset: 7, endOffset: 8, places: [3] });
    expect([[...index.unsettled()], index.firstUnsettledPlace()]).toEqual([["a"], 3]);
    index.add(index.runFor("a"), 5, 4, 0, false);
    expect(index.runOf("a")).toEqual({ firstOffset: 5, endOffset: 6, places: [4] });
  });

  it("gives a run that stays as it is when records are added and freed", () => {
    const index = indexOf("aa");
    const run = index.runOf("a")!;
    index.add(index.runFor("a"), 2, 2, 0, false);
    index.dropBefore(2);
    expect([run.firstOffset, run.endOffset, run.places.slice(0, 2)]).toEqual([0, 2, [0, 1]]);
    index.dropBefore(3);
    expect(index.runOf("a")).toBeUndefined();
  });

  it("tells whoever keeps a run at hand that it counts no longer", () => {
    const index = indexOf("aab");
    const [freed, forgotten] = [index.runFor("a"), index.runFor("b")];
    index.dropBefore(2);
    index.forget("b");
    expect([freed.isDropped, forgotten.isDropped]).toEqual([true, true]);
    // It keeps no memory that grew with the journal.
    expect([freed.places, forgotten.places]).toEqual([[], []]);
    index.add(index.runFor("a"), 2, 3, 0, false);
    expect(index.runOf("a")).toEqual({ firstOffset: 2, endOffset: 3, places: [3] });
  });

  it("knows no run of a log of which nothing was added", () => {
    const index = new JournalIndex();
    index.runFor("a");
    expect([index.runOf("a"), [...index.unsettled()]]).toEqual([undefined, []]);
    expect(index.firstUnsettledPlace()).toBe(Number.POSITIVE_INFINITY);
  });
});
