import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CommitLog } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/verify.js";
import { openStore } from "../store/stores.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

it("a log that is reached through a link from outside shows only what its writer published", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "deep", "er"), { recursive: true });
  const directory = join(root, "deep", "er", "store");
  const fileSystem = new FaultyFileSystem();
  const store = await openStore(directory, {}, fileSystem);
  await store.append("k", "durable");
  symlinkSync(join(directory, "logs", "k"), join(root, "to the log"));
  symlinkSync(join(directory, "logs"), join(root, "to the logs"));
  const hold = fileSystem.hold({ kind: "datasync", path: /\.log$/ });
  const appended = store.append("k", "on its way");
  await hold.reached;
  const ways = [
    join(directory, "logs", "k"),
    join(root, "to the log"),
    join(root, "to the logs", "k"),
  ];
  for (const path of ways) {
    await using log = await CommitLog.open(path, { readOnly: true });
    expect(log.endOffset, path).toBe(1);
    expect((await verifyLog(createEnvironment(), path)).survey.hasWriter, path).toBe(true);
  }
  hold.release();
  expect(await appended).toBe(1);
});
