import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { flipBit } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { newPath } from "../support/temporary-directory.js";
import { fill, leaveUnclean, openStore, textsIn } from "./stores.js";

/** A store of two keys whose process died, all of it in the page cache. */
async function killedStore(): Promise<string> {
  const directory = newPath();
  await leaveUnclean(directory, { durability: "os" }, async (store) => {
    await fill(store, "a", 3);
    await fill(store, "b", 3);
    await store.append("b", "b 3");
  });
  return directory;
}

describe("what a writer that died had published of a log", () => {
  it("is kept through sessions that do not open that log", async () => {
    const directory = await killedStore();
    for (let session = 0; session < 2; session++) {
      const store = await openStore(directory, { durability: "os" });
      expect(await textsIn(store, "a")).toHaveLength(3);
      await store.close();
    }
    flipBit(join(directory, "logs", "b", "00000000000000000000.log"), 100);
    const store = await openStore(directory, { durability: "os" });
    // Only what was published tells this from a tail that a power cut left torn.
    expect(await codeOf(store.log("b"))).toBe("CORRUPTION");
  });

  it("tells readers nothing, though a writer lives that has not opened that log", async () => {
    const directory = await killedStore();
    const store = await openStore(directory);
    await store.append("a", "a 3");
    const data = join(directory, "logs", "b", "00000000000000000000.log");
    writeFileSync(data, readFileSync(data).subarray(0, -1));
    const reader = await openStore(directory, { readOnly: true });
    expect(await textsIn(reader, "b")).toEqual(["b 0", "b 1", "b 2"]);
    expect(await reader.bounds("b")).toEqual({ startOffset: 0, endOffset: 3 });
  });
});
