// A program that sends numbers to a key, from where its name stands on, for as long as it lives; run
// by `faults.test.ts`, which kills it.
const [clientDoor, url, key] = process.argv.slice(2);
const { connect } = await import(clientDoor);
const client = await connect(url);
const producer = client.producer({ name: "importer", maxBufferedBytes: 256 * 1024 });
const lastOffset = await producer.lastOffset(key);
let next = 0;
if (lastOffset !== undefined) {
  const { records } = await client.read(key, lastOffset, { maxRecords: 1 });
  next = Number(Buffer.from(records[0].value).toString()) + 1;
}
process.stdout.write(`from ${next}\n`);
for (;;) {
  producer.send(key, String(next++)).catch(() => undefined);
  if (producer.isFull) await producer.room();
}
