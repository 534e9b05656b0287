// What listing all keys of a server takes, page by page. Run it with
// `npm run build && node test/bench/list-keys.mjs [keys] [page size]`. The keys have directories and
// nothing in them, which is all that a listing sees of a key.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { LogStore } = await import("../../dist/index.js");
const { connect } = await import("../../dist/client/index.js");
const { serve } = await import("../../dist/server/index.js");

const count = Number(process.argv[2] ?? 100_000);
const pageSize = Number(process.argv[3] ?? 1000);

async function makeKeys(directory) {
  await (await LogStore.open(directory)).close();
  const numbers = Array.from({ length: count }, (_, number) => number).values();
  const make = async () => {
    for (const number of numbers) await mkdir(join(directory, "logs", `key-${number}`), 0o700);
  };
  await Promise.all(Array.from({ length: 16 }, make));
}

/** Wall time and time on processors, of this process with the server in it. */
async function timed(what, run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - start;
  const cpuMs = (user + system) / 1000;
  process.stdout.write(`${what}: ${wallMs.toFixed(1)} ms, ${cpuMs.toFixed(1)} ms of processors\n`);
}

async function listAll(url) {
  let listed = 0;
  let pageToken = "";
  do {
    const response = await fetch(`${url}/seglog.v1.LogService/ListKeys`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ pageSize, pageToken }),
    });
    const page = await response.json();
    listed += page.keys.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  if (listed !== count) throw new Error(`${listed} keys were listed, not ${count}`);
}

const directory = await mkdtemp(join(tmpdir(), "seglog-list-keys-"));
try {
  await makeKeys(directory);
  const server = await serve({ directory, port: 0 });
  const client = await connect(server.url);
  await client.metadata("none");
  process.stdout.write(`${count} keys, ${pageSize} a page\n`);
  await timed("the first time", () => listAll(server.url));
  await timed("again", () => listAll(server.url));
  await timed("by the client", () => client.keys());
  await client.close();
  await server.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
