// Serves a store in a process of its own, for `seglog-server.ts`; tells its URL, and ends when it is
// told anything.
import { once } from "node:events";
import { pathToFileURL } from "node:url";

const [library, directory, durability] = process.argv.slice(2);
const { serve } = await import(new URL("./server/index.js", pathToFileURL(library)));
const server = await serve({ directory, port: 0, storeOptions: { durability } });
process.send(server.url);
await once(process, "message");
await server.close();
process.disconnect();
