// ComLog's quick start on seglog: 18 records of 10 bytes, a linger time of a second, batches of 40
// bytes, and a callback for each record.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type SendOutcome } from "seglog/client";
import { serve } from "seglog/server";

// New on each run, and gone after it; yours would have a name and stay.
const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
process.once("exit", () => rmSync(directory, { recursive: true }));

// Elsewhere: seglog serve data
await using server = await serve({ directory, port: 0 });
await using client = await connect(server.url);
await using producer = client.producer({ lingerMs: 1000, batchBytes: 40 });

const records = [..."abcdefghijklmnopqr"].map((letter) => letter.repeat(10));
const outcomes: SendOutcome[] = [];

console.log("begin to send");
const startedAt = performance.now();
const sent = records.map((record) =>
  producer.send("comlog", record, (outcome) => {
    console.log(`after ${Math.round(performance.now() - startedAt)} ms:`, outcome);
    outcomes.push(outcome);
  }),
);
console.log("everything is sent");

// Four records fill a batch; the last two wait for more until the linger time is over.
await Promise.all(sent);
assert.deepEqual(
  outcomes.map(({ offset }) => offset),
  records.map((_, offset) => offset),
);
const { records: stored } = await client.read("comlog", 0);
assert.deepEqual(
  stored.map(({ value }) => Buffer.from(value).toString()),
  records,
);
