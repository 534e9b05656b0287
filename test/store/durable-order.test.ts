import { describe, expect, it } from "vitest";
import { durableSteps } from "../support/durable-steps.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { leaveJournaled } from "../support/journaled-store.js";
import { newPath } from "../support/temporary-directory.js";
import { kill, leaveUnclean, openStore } from "./stores.js";

const DATA = "00000000000000000000.log";

describe("what is durable before what, when", () => {
  it("a store is made: its directories, then the file that says that it is there", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    await openStore(directory, {}, system);
    expect(durableSteps(system, directory)).toEqual([
      "makeDirectory .",
      "syncDirectory ..",
      "syncDirectory .",
      "makeDirectory logs",
      "syncDirectory .",
      "syncDirectory ..",
      "datasync store.meta.tmp",
      "rename store.meta",
      "syncDirectory .",
    ]);
  });

  it("a store is opened again: its directory and its own name", async () => {
    const directory = newPath();
    await (await openStore(directory)).close();
    const system = new FaultyFileSystem();
    await openStore(directory, {}, system);
    expect(durableSteps(system, directory)).toEqual(["syncDirectory .", "syncDirectory .."]);
  });

  it("a store is opened after a crash: also the committed offsets that it left", async () => {
    const directory = newPath();
    await leaveUnclean(directory, { durability: "os" }, async (store) => {
      await store.append("k", "one");
      await store.group("g").commit({ k: 1 });
    });
    const system = new FaultyFileSystem();
    await openStore(directory, {}, system);
    expect(durableSteps(system, directory)).toEqual([
      "syncDirectory .",
      "syncDirectory ..",
      "datasync committed-offsets.tmp",
      "rename committed-offsets",
      "syncDirectory .",
    ]);
  });

  it("a deletion is completed: first the renaming that a crash may have left unsynced", async () => {
    const directory = newPath();
    const first = new FaultyFileSystem();
    const store = await openStore(directory, {}, first);
    await store.append("k", "one");
    const renamed = first.hold({ kind: "syncDirectory", path: /logs$/ });
    const deleted = codeOf(store.deleteKey("k"));
    await renamed.reached;
    await kill(store, first);
    expect(await deleted).toBe("IO_ERROR");
    const system = new FaultyFileSystem();
    expect((await openStore(directory, {}, system)).recovery.deletedKeys).toEqual(["k"]);
    const steps = durableSteps(system, directory);
    const removal = steps.indexOf("removeTree logs/.deleted-k");
    expect(removal).toBeGreaterThan(0);
    expect(steps.slice(0, removal)).toContain("syncDirectory logs");
  });

  it("a key is made: its files and their names, then its own name, then a record", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const store = await openStore(directory, {}, system);
    system.forget();
    await store.append("k", "one");
    const steps = durableSteps(system, directory);
    // The two files are made beside each other; either may be done first.
    expect([...steps.slice(0, 2), ...steps.slice(2, 4).toSorted(), ...steps.slice(4)]).toEqual([
      "removeTree logs/.new-k",
      "makeDirectory logs/.new-k",
      `datasync logs/.new-k/${DATA}`,
      "datasync logs/.new-k/log.meta",
      "syncDirectory logs/.new-k",
      "rename logs/k",
      "syncDirectory logs",
      `datasync logs/k/${DATA}`,
    ]);
  });

  it("offsets are committed: a snapshot of an earlier session's, then a frame for each", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const store = await openStore(directory, {}, system);
    await store.append("k", "one");
    system.forget();
    await store.group("g").commit({ k: 1 });
    await store.group("h").commit({ k: 1 });
    expect(durableSteps(system, directory)).toEqual([
      "datasync committed-offsets.tmp",
      "rename committed-offsets",
      "syncDirectory .",
      "datasync committed-offsets",
      "datasync committed-offsets",
    ]);
  });

  it("a key is deleted: its name, then its committed offsets, then its files", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const store = await openStore(directory, {}, system);
    await store.append("k", "one");
    await store.group("g").commit({ k: 1 });
    await (await store.log("k")).close();
    system.forget();
    await store.deleteKey("k");
    expect(durableSteps(system, directory)).toEqual([
      "removeTree logs/.deleted-k",
      "rename logs/.deleted-k",
      "syncDirectory logs",
      "datasync committed-offsets",
      "removeTree logs/.deleted-k",
    ]);
  });

  it("a log is cut whose end stands in the journal: its segment, then a mark, then the bound", async () => {
    const directory = newPath();
    await leaveJournaled(directory, ["k"], { count: 10 });
    const system = new FaultyFileSystem();
    const store = await openStore(directory, { durability: "os" }, system);
    const log = await store.log("k");
    system.forget();
    await log.truncateTo(5);
    const steps = durableSteps(system, directory);
    expect(steps.slice(0, steps.indexOf("rename logs/k/log.meta") + 1)).toEqual([
      `datasync logs/k/${DATA}`,
      `datasync logs/.journal/${DATA}`,
      "datasync logs/k/log.meta.tmp",
      "rename logs/k/log.meta",
    ]);
  });

  it("a journal is emptied: the segments of its logs, then its start offset", async () => {
    const directory = newPath();
    await leaveJournaled(directory, ["k", "l"], { count: 10 });
    const system = new FaultyFileSystem();
    const store = await openStore(directory, { durability: "os" }, system);
    for (const key of store.keys()) await store.log(key);
    system.forget();
    await store.close();
    const steps = durableSteps(system, directory);
    const freed = steps.indexOf("rename logs/.journal/log.meta");
    // The logs are closed beside each other.
    expect(steps.slice(0, freed)).toEqual(
      expect.arrayContaining([
        `datasync logs/k/${DATA}`,
        `datasync logs/l/${DATA}`,
        `datasync logs/warm-up/${DATA}`,
      ]),
    );
  });
});
