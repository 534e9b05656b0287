import { join } from "node:path";
import { connect } from "seglog/client";
import { serve } from "seglog/server";
import { onTestFinished } from "vitest";
import { LogStore } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { conformsToKeyedLog } from "./keyed-log.js";

conformsToKeyedLog("LogStore", async () => {
  const store = await LogStore.open(join(temporaryDirectory(), "store"), { durability: "os" });
  return {
    log: store,
    deleteBefore: async (key, offset) => (await store.log(key)).deleteBefore(offset),
  };
});

conformsToKeyedLog("A client", async () => {
  const directory = join(temporaryDirectory(), "store");
  const server = await serve({ directory, port: 0, storeOptions: { durability: "os" } });
  onTestFinished(() => server.close());
  const client = await connect(server.url);
  return { log: client, deleteBefore: (key, offset) => client.deleteBefore(key, offset) };
});
