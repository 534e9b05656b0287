import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/client/index.js";
import { closedWindow, lastingCalls } from "../support/stalled-peers.js";
import { newPath } from "../support/temporary-directory.js";
import { ServingProcess } from "./serving-process.js";

const MIB = 1024 * 1024;
const BUDGET_MIB = 64;
/** What a server has beside it: garbage, above all, before it is collected. */
const FIXED_MIB = 192;
const CONNECTIONS = 8;
const STREAMS = 128;
const RECORDS = 1600;

test("readers that take nothing bound memory, and starve nobody", {
  timeout: 120_000,
}, async () => {
  const limit = (name: string, value: number) => ["--limit", `${name}=${value}`];
  const server = await ServingProcess.start(newPath(), [
    ...["--durability", "os"],
    ...limit("maxResponseBytesInFlight", BUDGET_MIB * MIB),
    ...limit("roomMs", 250),
  ]);
  await fill(server);
  // So that what it has needed so far does not count.
  await server.stop();
  await server.restart();
  const before = server.residentMib;
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    const session = await closedWindow(server.port);
    lastingCalls(session, "Follow", "much", STREAMS / CONNECTIONS);
  }
  // The half that those may have who have shown nothing, but for less than a response.
  while ((await metric(server, "seglog_response_bytes_in_flight")) < (BUDGET_MIB / 4) * MIB);

  const client = await connect(server.url);
  onTestFinished(() => client.close());
  const consumer = client.consumer({ group: "honest", keys: ["much"] });
  const numbers: number[] = [];
  while (numbers.length < RECORDS) {
    for (const { record } of await consumer.poll()) {
      numbers.push(Buffer.from(record.value).readUInt32LE());
    }
  }
  await consumer.close();
  expect(numbers).toEqual(Array.from({ length: RECORDS }, (_, index) => index));
  while ((await metric(server, "seglog_responses_ended_total")) < 2 * CONNECTIONS);
  expect(await metric(server, "seglog_connections")).toBeGreaterThan(CONNECTIONS);
  expect(server.mostResidentMib - before).toBeLessThan(BUDGET_MIB + FIXED_MIB);
});

/** Appends 100 MiB to `much`, each record with its number in front. */
async function fill(server: ServingProcess): Promise<void> {
  const client = await connect(server.url);
  const producer = client.producer();
  for (let number = 0; number < RECORDS; number++) {
    const value = Buffer.alloc(64 * 1024);
    value.writeUInt32LE(number);
    if (producer.isFull) await producer.room();
    void producer.send("much", value);
  }
  await producer.flush();
  await client.close();
}

/** What a metric stands at, over all its labels. */
async function metric(server: ServingProcess, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
