import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CommitLog } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { seglog } from "../cli/program.js";
import { openStore } from "../store/stores.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { leaveJournaled } from "../support/journaled-store.js";
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

it("a log that is reached through a link has what its store's journal holds of it", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "deep", "er"), { recursive: true });
  const directory = join(root, "deep", "er", "store");
  await leaveJournaled(directory, ["k"], { count: 3 });
  const path = join(root, "to the log");
  symlinkSync(join(directory, "logs", "k"), path);
  // Not the one beside the link.
  mkdirSync(join(root, ".journal"));
  await using log = await CommitLog.open(path, { readOnly: true });
  const records = await log.readFrom(0);
  expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(["k 0", "k 1", "k 2"]);
  const cat = await seglog(root, ["cat", path]);
  expect([cat.code, cat.out]).toEqual([0, "k 0\nk 1\nk 2\n"]);
});
