import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isMissing } from "../../src/files/file-errors.js";
import { HandlePool, PooledFile } from "../../src/files/handle-pool.js";
import { readStep, runSteps, runStepsSync, type Steps, sizeStep } from "../../src/files/steps.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

function fileWith(content: string, system = new FaultyFileSystem()): PooledFile {
  const path = join(temporaryDirectory(), "file");
  writeFileSync(path, content);
  return new PooledFile(new HandlePool(system, 16), path, "read");
}

function* readAll(file: PooledFile): Steps<string> {
  const size = yield* sizeStep(file);
  const bytes = new Uint8Array(size + 5);
  const count = yield* readStep(file, bytes, 0);
  const tail = new Uint8Array(5);
  const tailCount = yield* readStep(file, tail, size - 5);
  return `${size} ${count} ${Buffer.from(bytes.subarray(0, count))} ${tailCount}`;
}

describe("steps", () => {
  it("come to the same result with and without blocking the event loop", async () => {
    const file = fileWith("hello world");
    const expected = "11 11 hello world 5";
    expect(await runSteps(readAll(file))).toBe(expected);
    expect(runStepsSync(readAll(file))).toBe(expected);
    const system = new FaultyFileSystem();
    expect(runStepsSync(readAll(fileWith("hello world", system)))).toBe(expected);
    await file.close();
  });

  it("without anything to read give their result at once", async () => {
    // biome-ignore lint/correctness/useYield: it asks for nothing.
    const nothing = function* (): Steps<number> {
      return 5;
    };
    expect(await runSteps(nothing())).toBe(5);
    expect(runStepsSync(nothing())).toBe(5);
  });

  it("are thrown what fails, at the step that asked, and may go on", async () => {
    const file = fileWith("hello");
    const missing = new PooledFile(
      new HandlePool(new FaultyFileSystem(), 16),
      `${file.path}-none`,
      "read",
    );
    const procedure = function* (): Steps<string> {
      try {
        yield* sizeStep(missing);
        return "not thrown";
      } catch (error) {
        const size = yield* sizeStep(file);
        return isMissing(error) ? `missing, then ${size}` : "another error";
      }
    };
    expect(await runSteps(procedure())).toBe("missing, then 5");
    expect(runStepsSync(procedure())).toBe("missing, then 5");
    await file.close();
  });

  it("end with an error that they do not catch, their own one too", async () => {
    const own = new Error("own");
    const procedure = function* (): Steps<never> {
      yield* sizeStep(fileWith("a"));
      throw own;
    };
    await expect(runSteps(procedure())).rejects.toBe(own);
    expect(() => runStepsSync(procedure())).toThrow(own);
  });

  it("hold no file between two steps, also after one failed", async () => {
    const system = new FaultyFileSystem();
    const file = fileWith("hello", system);
    system.fail({ kind: "read" }, { errno: "EIO", times: 2 });
    const target = new Uint8Array(1);
    await expect(runSteps(readStep(file, target, 0))).rejects.toMatchObject({ code: "IO_ERROR" });
    expect(() => runStepsSync(readStep(file, target, 0))).toThrow(
      expect.objectContaining({ code: "IO_ERROR" }),
    );
    await file.close();
    expect(system.openPaths).toEqual([]);
  });

  it("read on after a short read", async () => {
    const system = new FaultyFileSystem();
    const file = fileWith("hello world", system);
    const open = await file.acquire();
    const read = open.read.bind(open);
    open.read = (target, position) => read(target.subarray(0, 3), position);
    const readSync = open.readSync.bind(open);
    open.readSync = (target, position) => readSync(target.subarray(0, 3), position);
    const target = new Uint8Array(11);
    expect(await runSteps(readStep(file, target, 0))).toBe(11);
    expect(Buffer.from(target).toString()).toBe("hello world");
    target.fill(0);
    expect(runStepsSync(readStep(file, target, 0))).toBe(11);
    expect(Buffer.from(target).toString()).toBe("hello world");
    file.release();
    await file.close();
  });
});
