import { readFileSync } from "node:fs";
import { Random } from "../support/random.js";
import { DISTINCT, RecordSet } from "./record-set.js";

/** Bytes of chance, of one length. */
export class Records extends RecordSet {
  readonly byteLength: number;

  /** @param distinct - How many different ones there are. */
  constructor(byteLength: number, distinct = DISTINCT) {
    super(() => make(byteLength, distinct));
    this.byteLength = byteLength;
  }

  /**
   * Checks a spread of records in a file that holds them one behind the other.
   *
   * @param prefixBytes - What stands before each of them.
   */
  checkFile(path: string, count: number, prefixBytes: number): void {
    const bytes = readFileSync(path);
    for (const offset of this.sample(count)) {
      const end = (offset + 1) * (prefixBytes + this.byteLength);
      this.check(offset, bytes.subarray(end - this.byteLength, end));
    }
  }
}

function make(byteLength: number, distinct: number): Buffer[] {
  const random = new Random(byteLength);
  const bytes = Buffer.allocUnsafeSlow(byteLength * distinct);
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256);
  return Array.from({ length: distinct }, (_, index) =>
    bytes.subarray(index * byteLength, (index + 1) * byteLength),
  );
}
