// Follows a log in a process of its own, for `follow-apart.ts`: tells when it has opened the
// log, then, when it has so many records, when it saw each and what some of them are.
const [library, directory, countText, by] = process.argv.slice(2);
const { CommitLog } = await import(library);
const count = Number(countText);
const every = Math.max(1, Math.floor(count / 1000));
const seenAtUs = new Float64Array(count);
const samples = [];

// Whoever measures may fail and be gone.
process.once("disconnect", () => process.exit(1));
const log = await CommitLog.open(directory, { readOnly: true });
process.send("open");
const from = log.endOffset;
await (by === "records" ? byRecords() : byBatches());
// What is not sent yet when it disconnects is lost.
await new Promise((resolve) => process.send({ seenAtUs, samples }, resolve));
await log.close();
process.removeAllListeners("disconnect");
process.disconnect();

async function byRecords() {
  let seen = 0;
  for await (const { value } of log.records({ from, follow: true })) {
    note(seen++, value, nowUs());
    if (seen === count) return;
  }
}

async function byBatches() {
  let seen = 0;
  for await (const batch of log.batches({ from, follow: true })) {
    const now = nowUs();
    for (const { value } of batch) note(seen++, value, now);
    if (seen === count) return;
  }
}

function note(index, value, now) {
  seenAtUs[index] = now;
  if (index % every === 0) samples.push({ index, value: Buffer.from(value) });
}

// The clock of `clock.ts`.
function nowUs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}
