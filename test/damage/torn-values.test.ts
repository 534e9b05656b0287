import { describe, expect, test } from "vitest";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";
import { BoundedFileSystem, type Image, imageOf, STORE, withFile } from "./image.js";

const OPTIONS = { blockBytes: 256, segmentBytes: 4096 };
const FILE = "00000000000000000000.log";
const OTHER_BOOT = new Uint8Array(16).fill(9);

/** A log that was truncated to nothing and filled anew, and its file before that. */
async function makeLog() {
  const fileSystem = new MemoryFileSystem(new MemoryDisk());
  await fileSystem.makeDirectory(STORE);
  const log = await CommitLog.openOn(createEnvironment(fileSystem), STORE, OPTIONS);
  for (let n = 0; n < 6; n++) await log.append(`earlier-${n}`);
  const earlier = imageOf(fileSystem.disk).get(FILE)!;
  await log.truncateTo(0);
  for (let n = 0; n < 2; n++) await log.append(`value-${n}`);
  return { fileSystem, earlier, log };
}

/** Appends a value behind the log's end that has `bytes` at the very position they had once. */
async function withInner(source: "itself" | "earlier" | "another log"): Promise<Image> {
  const { fileSystem, earlier, log } = await makeLog();
  const now = imageOf(fileSystem.disk).get(FILE)!;
  const foreign = await makeLog();
  const sources = { itself: now, earlier, "another log": foreign.earlier };
  const inner = sources[source];
  // The value begins behind a block header; what stands behind that place goes where it was.
  const start = now.length + 80;
  await log.append(Buffer.concat([inner.subarray(start), inner]));
  return imageOf(fileSystem.disk);
}

describe("a value that holds blocks of seglog, torn at every byte", () => {
  for (const source of ["itself", "earlier", "another log"] as const) {
    test(`of ${source}, in the places where they would be read`, { timeout: 300_000 }, async () => {
      Error.stackTraceLimit = 0;
      const whole = await withInner(source);
      const data = whole.get(FILE)!;
      const start = data.length;
      let cuts = 0;
      for (let length = 80; length < start; length++) {
        for (const bootId of [undefined, OTHER_BOOT]) {
          // What was published is gone, as after a power cut: nothing but the bytes speaks.
          const torn = withFile(
            withFile(whole, FILE, data.slice(0, length)),
            "published",
            undefined,
          );
          const fileSystem = new BoundedFileSystem(torn, bootId === undefined ? {} : { bootId });
          const log = await CommitLog.openOn(createEnvironment(fileSystem), STORE, OPTIONS);
          const values: string[] = [];
          for await (const { value } of log.records()) values.push(Buffer.from(value).toString());
          expect(["", "value-0", "value-0 value-1"], `cut to ${length}`).toContain(
            values.join(" "),
          );
          expect(await log.append("next")).toBe(values.length);
          await log.close();
          if (values.length === 2) cuts++;
        }
      }
      expect(cuts).toBeGreaterThan(2 * 80);
    });
  }
});
