// Fills a log in a process of its own, for `fill-apart.ts`, with the records that it is told, over
// and over; tells when the log is closed.
import { once } from "node:events";

const [library, directory, countText, batchText] = process.argv.slice(2);
const { CommitLog } = await import(library);
const count = Number(countText);
const batchLength = Number(batchText);

const [records] = await once(process, "message");
const log = await CommitLog.open(directory, { durability: "os" });
for (let offset = 0; offset < count; offset += batchLength) {
  const from = offset % records.length;
  await log.appendBatch(records.slice(from, from + batchLength));
}
await log.close();
process.send("filled", () => process.disconnect());
