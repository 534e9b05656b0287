// From which length zlib's native CRC-32 is faster than crc-32's: the constant in
// src/format/checksum.ts. Run it with `node test/bench/checksum.mjs`.
import { crc32 as nativeCrc32 } from "node:zlib";
import crc32 from "crc-32";

const TARGET_BYTES = 64 * 1024 * 1024;
const ROUNDS = 5;

function secondsFor(checksum, bytes, times) {
  const start = process.hrtime.bigint();
  for (let index = 0; index < times; index++) checksum(bytes.subarray(0, bytes.length), index);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function median(values) {
  return values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

process.stdout.write("bytes  native/JavaScript (above 1: native is faster)\n");
for (const length of [32, 64, 76, 96, 128, 192, 256, 384, 512, 1024, 4096, 16384, 65536]) {
  const bytes = new Uint8Array(length).fill(7);
  const times = Math.ceil(TARGET_BYTES / 16 / Math.max(length, 256));
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) {
    const javaScript = secondsFor((data, seed) => crc32.buf(data, seed), bytes, times);
    const native = secondsFor((data, seed) => nativeCrc32(data, seed), bytes, times);
    ratios.push(javaScript / native);
  }
  process.stdout.write(`${String(length).padStart(5)}  ${median(ratios).toFixed(2)}\n`);
}
