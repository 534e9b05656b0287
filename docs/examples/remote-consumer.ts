// A consumer of a server's records that survives the server being stopped and started, and goes on
// where it committed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "seglog/client";
import { type SeglogServer, serve } from "seglog/server";

// New on each run, and gone after it; yours would have a name and stay.
const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
process.once("exit", () => rmSync(directory, { recursive: true }));

let server: SeglogServer = await serve({ directory, port: 0 });
const { port } = server;
await using client = await connect(server.url);

await client.appendBatch("orders", ["one pizza", "two pizzas", "three pizzas"]);

const options = { group: "kitchen", keys: ["orders"], autoCommit: false } as const;
{
  await using consumer = client.consumer(options);
  for await (const { record } of consumer) {
    console.log("bakes", Buffer.from(record.value).toString());
    // What was handed out is processed: it will not come again.
    await consumer.commit();
    if (record.offset === 1) break;
  }
}

// The client connects again by itself, and so does the next consumer.
await server.close();
server = await serve({ directory, port });
await client.append("orders", "four pizzas");

{
  await using consumer = client.consumer(options);
  const values: string[] = [];
  while (values.length < 2) {
    for (const { record } of await consumer.poll()) {
      values.push(Buffer.from(record.value).toString());
    }
  }
  assert.deepEqual(values, ["three pizzas", "four pizzas"]);
  await consumer.commit();
}
assert.equal((await client.group("kitchen").committed()).get("orders"), 4);
await client.close();
await server.close();
