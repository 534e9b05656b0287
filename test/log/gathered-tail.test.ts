import { describe, expect, it } from "vitest";
import type { JournaledProducer } from "../../src/format/journal-key.js";
import type { LogRecord } from "../../src/format/record.js";
import { PendingGroup } from "../../src/log/queue/pending.js";
import { GatheredTail } from "../../src/log/tail/gathered-tail.js";
import type { JournaledRecord } from "../../src/log/tail/journaled-record.js";
import { TailPiece } from "../../src/log/tail/tail-piece.js";

const EPOCH = 3;
const FROM = 40;

/** A tail that goes to segments of so many bytes; its buffers begin with 4 KiB. */
function tailFor(segmentBytes: number): GatheredTail {
  return new GatheredTail(EPOCH, FROM, FROM + 1000, (firstOffset) => {
    const group = new PendingGroup(Buffer.alloc(4096), 8192, "none");
    return new TailPiece(group, firstOffset, segmentBytes);
  });
}

function record(parts: Partial<LogRecord>, producer?: JournaledProducer): JournaledRecord {
  return { record: { offset: 0, timestamp: 1, value: new Uint8Array(0), ...parts }, producer };
}

describe("a tail that is gathered", () => {
  it("gives its pieces where they belong, each once", () => {
    const tail = tailFor(2000);
    for (let count = 0; count < 12; count++) tail.add(record({ value: new Uint8Array(200) }));
    expect(tail.endOffset).toBe(FROM + 12);
    expect(tail.take(EPOCH + 1, FROM)).toBeUndefined();
    expect(tail.take(EPOCH, FROM + 1)).toBeUndefined();
    let next = FROM;
    for (;;) {
      const piece = tail.take(EPOCH, next);
      if (piece === undefined) break;
      const [batch, ...others] = piece;
      expect(others).toEqual([]);
      expect(batch!.end - batch!.start).toBeLessThanOrEqual(1200);
      expect(tail.take(EPOCH, next)).toBeUndefined();
      next += batch!.recordCount;
    }
    expect(next).toBe(FROM + 12);
  });

  it("tells what memory it takes, whatever of a record it is that is long", () => {
    const headers: LogRecord["headers"] = [["h", new Uint8Array(10_000)]];
    for (const parts of [{ value: new Uint8Array(10_000) }, { headers }]) {
      const tail = tailFor(1_000_000);
      expect(tail.add(record({}))).toBe(4096);
      expect(tail.add(record({}))).toBe(0);
      expect(tail.add(record(parts))).toBeGreaterThan(5000);
    }
  });

  it("keeps the batches of producers as they were, however long they are", () => {
    const tail = tailFor(1000);
    const value = new Uint8Array(300);
    const of = (sequence: number, goesOn: boolean) => ({ id: 7n, epoch: 1, sequence, goesOn });
    tail.add(record({ value }));
    for (let sequence = 0; sequence < 4; sequence++) {
      tail.add(record({ value }, of(sequence, sequence > 0)));
    }
    tail.add(record({ value }, of(4, false)));
    tail.add(record({ value }));
    tail.add(record({ value }));
    const batches: unknown[] = [];
    for (let next = FROM; ; ) {
      const piece = tail.take(EPOCH, next);
      if (piece === undefined) break;
      for (const { recordCount, producer } of piece) {
        batches.push([recordCount, producer?.sequence]);
        next += recordCount;
      }
    }
    expect(batches).toEqual([
      [1, undefined],
      [4, 0],
      [1, 4],
      [1, undefined],
      [1, undefined],
    ]);
  });

  it("has nothing to give where nothing was added", () => {
    expect(tailFor(1000).take(EPOCH, FROM)).toBeUndefined();
  });
});
