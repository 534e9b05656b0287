import { expect, it } from "vitest";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { fill, openStore, textsIn } from "./stores.js";

it("shows a reader the new file of a log that was recovered while its store stayed open", async () => {
  const directory = newPath();
  const system = new FaultyFileSystem();
  const store = await openStore(directory, {}, system);
  await fill(store, "k", 3);
  const reader = await openStore(directory, { readOnly: true });
  expect((await textsIn(reader, "k")).length).toBe(3);
  system.fail({ kind: "datasync", path: /logs\/k\/\d+\.log$/ }, { errno: "EIO" });
  expect(await codeOf(store.append("k", "its sync fails"))).toBe("LOG_POISONED");
  expect(await codeOf((await store.log("k")).close())).toBe("LOG_POISONED");
  await store.append("k", "behind the recovery");
  await (await reader.log("k")).refresh();
  expect((await textsIn(reader, "k")).at(-1)).toBe("behind the recovery");
  await reader.close();
  await store.close();
});
