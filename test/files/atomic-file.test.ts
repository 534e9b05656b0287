import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { prepareFile, replaceFile } from "../../src/files/atomic-file.js";
import { writeFully } from "../../src/files/whole-file.js";
import { failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const OLD = Buffer.from("the old content");
const NEW = Buffer.from("new");

describe("replaceFile", () => {
  it("writes, syncs, closes, renames and syncs the directory, in this order", async () => {
    const system = new FaultyFileSystem();
    const directory = temporaryDirectory();
    const path = join(directory, "file");
    writeFileSync(path, OLD);
    await replaceFile(system, path, NEW);
    expect(readFileSync(path)).toEqual(NEW);
    expect(system.operations.map(({ kind }) => kind)).toEqual([
      "open",
      "write",
      "datasync",
      "close",
      "rename",
      "syncDirectory",
    ]);
    expect(system.operations[0]!.path).toBe(`${path}.tmp`);
    expect(readdirSync(directory)).toEqual(["file"]);
  });

  it("begins with an empty file where an earlier attempt left a longer one", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(`${path}.tmp`, "left over from long ago");
    await replaceFile(new FaultyFileSystem(), path, NEW);
    expect(readFileSync(path)).toEqual(NEW);
  });

  it.each(["EIO", "ENOSPC"])(
    "that fails with %s anywhere leaves old or new, whole",
    async (errno) => {
      const steps = 6;
      for (let number = 0; number < steps; number++) {
        const system = new FaultyFileSystem();
        const directory = temporaryDirectory();
        const path = join(directory, "file");
        writeFileSync(path, OLD);
        system.fail({ number }, { errno });
        await failureOf(replaceFile(system, path, NEW));
        const isReplaced = number === steps - 1;
        expect(readFileSync(path), `operation ${number}`).toEqual(isReplaced ? NEW : OLD);
        if (number < 4) expect(readdirSync(directory), `operation ${number}`).toEqual(["file"]);
        expect(system.openPaths).toEqual([]);
      }
    },
  );

  it("that dies anywhere leaves old or new, whole", async () => {
    for (let number = 0; number <= 6; number++) {
      for (const tornBytes of [0, 1]) {
        const system = new FaultyFileSystem();
        const path = join(temporaryDirectory(), "file");
        writeFileSync(path, OLD);
        system.dieAt(number, tornBytes);
        await replaceFile(system, path, NEW).catch(() => undefined);
        await system.die();
        const isReplaced = number >= 5;
        expect(readFileSync(path), `operation ${number}`).toEqual(isReplaced ? NEW : OLD);
      }
    }
  });
});

describe("prepareFile", () => {
  it("gives the file no name before its content is durable", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const temporary = await prepareFile(system, path, (file) => writeFully(file, NEW, 0));
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(temporary)).toEqual(NEW);
    expect(system.operations.at(-2)).toMatchObject({ kind: "datasync", path: temporary });
  });

  it("closes a file once, also when that fails: its descriptor may be another's by then", async () => {
    const system = new FaultyFileSystem();
    system.fail({ kind: "close" }, { errno: "EIO" });
    const path = join(temporaryDirectory(), "file");
    await failureOf(prepareFile(system, path, (file) => writeFully(file, NEW, 0)));
    expect(system.countOf("close")).toBe(1);
  });

  it("tells the failure of its content, and leaves nothing behind", async () => {
    const system = new FaultyFileSystem();
    const directory = temporaryDirectory();
    const failure = new Error("no content");
    await expect(
      prepareFile(system, join(directory, "file"), () => Promise.reject(failure)),
    ).rejects.toBe(failure);
    expect(readdirSync(directory)).toEqual([]);
    expect(system.openPaths).toEqual([]);
  });
});
