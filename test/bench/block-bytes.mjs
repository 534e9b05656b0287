// What the length of blocks costs and gives: the choice of the default of `blockBytes`. Prints
// ratios to blocks of 4 KiB, medians over rounds of one run, since machines drift.
// Run it with `npm run build && node test/bench/block-bytes.mjs`.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommitLog } from "../../dist/index.js";

const SIZES = [2048, 4096, 8192, 16384, 32768, 65536];
/** Several times as many bytes as the cache of blocks takes. */
const BATCHES = 2000;
const BATCH_RECORDS = 1000;
const POINT_READS = 100_000;
const ROUNDS = 5;

const words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda".split(" ");
const batch = Array.from({ length: BATCH_RECORDS }, (_, index) =>
  JSON.stringify({
    id: index * 7919,
    user: words[index % 11],
    action: words[(index * 3) % 11],
    at: 1_700_000_000_000 + index * 37,
    ok: index % 5 !== 0,
  }),
);

async function measure(blockBytes, compression) {
  const directory = mkdtempSync(join(tmpdir(), "seglog-block-bytes-"));
  try {
    const log = await CommitLog.open(directory, { durability: "os", blockBytes, compression });
    const append = await rate(BATCHES * BATCH_RECORDS, async () => {
      for (let index = 0; index < BATCHES; index++) await log.appendBatch(batch);
    });
    const scan = await rate(log.endOffset, async () => {
      for await (const records of log.batches()) for (const record of records) record.value;
    });
    let seed = 1;
    const point = await rate(POINT_READS, async () => {
      for (let index = 0; index < POINT_READS; index++) {
        seed = (seed * 48271) % 2147483647;
        log.readSync(seed % log.endOffset);
      }
    });
    await log.close();
    const bytes = readdirSync(directory)
      .filter((name) => name.endsWith(".log"))
      .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    return { append, scan, point, bytes };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function rate(count, run) {
  const start = process.hrtime.bigint();
  await run();
  return count / (Number(process.hrtime.bigint() - start) / 1e9);
}

function median(values) {
  return values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

for (const compression of ["none", "lz4"]) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const results = new Map();
    for (const size of SIZES) results.set(size, await measure(size, compression));
    rounds.push(results);
  }
  process.stdout.write(`\ncompression ${compression}: ratio to blocks of 4096 bytes\n`);
  process.stdout.write("blockBytes  append    scan  readSync  size on disk\n");
  for (const size of SIZES) {
    const ratio = (name) =>
      median(rounds.map((results) => results.get(size)[name] / results.get(4096)[name])).toFixed(2);
    const cells = [ratio("append"), ratio("scan"), ratio("point"), ratio("bytes")];
    process.stdout.write(
      `${String(size).padStart(10)}${cells.map((cell) => cell.padStart(8)).join("  ")}\n`,
    );
  }
}
