import { expect, test } from "vitest";
import { BufferPool } from "../../src/log/memory/buffer-pool.js";

const MIB = 1024 * 1024;

test("a buffer that was given back is used again for the same size", () => {
  const pool = new BufferPool();
  for (const byteLength of [1, 4097, MIB, MIB + 1, 8 * MIB]) {
    const buffer = pool.take(byteLength);
    expect(buffer.length).toBeGreaterThanOrEqual(byteLength);
    pool.give(buffer);
    expect(pool.take(byteLength) === buffer).toBe(true);
  }
});

test("more than the pool keeps in all is not kept", () => {
  const pool = new BufferPool();
  const buffer = pool.take(8 * MIB + 1);
  pool.give(buffer);
  expect(pool.take(8 * MIB + 1) === buffer).toBe(false);
  const given = Array.from({ length: 9 }, () => pool.take(MIB));
  for (const each of given) pool.give(each);
  const again = new Set(Array.from({ length: 9 }, () => pool.take(MIB)));
  expect(given.filter((each) => again.has(each)).length).toBe(8);
});

test("sizes that nobody asks for any more do not keep others out", () => {
  const pool = new BufferPool();
  pool.give(pool.take(8 * MIB));
  const small = pool.take(4096);
  pool.give(small);
  expect(pool.take(4096) === small).toBe(true);
});
