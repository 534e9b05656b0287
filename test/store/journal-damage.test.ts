import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LogStore } from "../../src/store/log-store.js";
import { seglog } from "../cli/program.js";
import { cut } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { appendTo, expectAll, openJournaling, openReader } from "./journaling.js";
import { kill } from "./stores.js";

/**
 * A store that was killed when the truncation of `a` from 20 records to `to` was recorded and
 * nothing more, `b` being as long.
 */
async function leaveTruncating(directory: string, to: number): Promise<void> {
  const fileSystem = new FaultyFileSystem();
  const store = await openJournaling(directory, {}, { fileSystem });
  await appendTo(store, ["b", "a"], 20);
  const log = await store.log("a");
  fileSystem.dieAtNext({ kind: "open", path: /\/logs\/a\/\d+\.log\.tmp$/ });
  await codeOf(log.truncateTo(to));
  await kill(store, fileSystem);
}

/** Takes the last block of the journal away, in which the mark is. */
function loseMark(directory: string): void {
  const journal = join(directory, "logs", ".journal");
  cut(segmentPath(journal, 0), blocksOf(journal, 0).at(-1)!.position);
}

describe("an interrupted truncation of a log whose mark in the journal", () => {
  it.each([0, 1, 12])("is there, is seen by readers and carried out: to %i", async (to) => {
    const directory = newPath();
    await leaveTruncating(directory, to);
    const reader = await openReader(directory);
    await expectAll(reader, ["a"], to);
    await expectAll(reader, ["b"], 20);
    const store = await openJournaling(directory);
    await expectAll(store, ["a"], to);
    expect((await store.log("a")).endOffset).toBe(to);
  });

  it.each([0, 1, 12])("is lost, is damage to everybody: to %i", async (to) => {
    const directory = newPath();
    await leaveTruncating(directory, to);
    loseMark(directory);
    const reader = await openReader(directory);
    const log = await reader.log("a");
    expect(log.endOffset).toBe(to);
    const offsets: number[] = [];
    const reading = async () => {
      for await (const { offset } of log.records()) offsets.push(offset);
    };
    expect(await codeOf(reading())).toBe("CORRUPTION");
    expect(offsets).toEqual(Array.from({ length: to }, (_, offset) => offset));
    await expectAll(reader, ["b"], 20);
    // Again and again: what is cut must not come back when the truncation is complete.
    for (let attempt = 0; attempt < 2; attempt++) {
      const store = await openJournaling(directory);
      expect(await codeOf(store.log("a"))).toBe("CORRUPTION");
      await expectAll(store, ["b"], 20);
      await store.close();
    }
  });

  it("is lost, is damage to the command line, which saves what is left", async () => {
    const cwd = newPath();
    const directory = join(cwd, "store");
    await leaveTruncating(directory, 12);
    loseMark(directory);
    const before = readFileSync(segmentPath(join(directory, "logs", "a"), 0));
    const printed = Array.from({ length: 12 }, (_, index) => `a ${index}\n`).join("");
    const cat = await seglog(cwd, ["cat", "store", "--key", "a"]);
    expect([cat.code, cat.out]).toEqual([1, printed]);
    const verified = await seglog(cwd, ["verify", "store"]);
    expect(verified.code).toBe(1);
    expect(verified.out).toContain("has lost the mark");
    expect(readFileSync(segmentPath(join(directory, "logs", "a"), 0))).toEqual(before);
    expect((await seglog(cwd, ["repair", "store", "--salvage", "saved"])).code).toBe(0);
    await using saved = await LogStore.open(join(cwd, "saved"), { readOnly: true });
    await expectAll(saved, ["a"], 12);
    await expectAll(saved, ["b"], 20);
  });
});
