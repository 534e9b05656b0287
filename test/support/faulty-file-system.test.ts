import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { codeOf, failureOf } from "./failure.js";
import { FaultyFileSystem } from "./faulty-file-system.js";
import { temporaryDirectory } from "./temporary-directory.js";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("FaultyFileSystem", () => {
  test("counts and records what is asked of it", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const file = await system.open(path, "create");
    await file.write(bytes("hello"), 0);
    await file.datasync();
    expect(system.openPaths).toEqual([path]);
    await file.close();
    expect(system.operations.map(({ kind }) => kind)).toEqual([
      "open",
      "write",
      "datasync",
      "close",
    ]);
    expect(system.openPaths).toEqual([]);
  });

  test("fails the operations it is told to, as typed errors, and then no more", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const injection = system.fail({ kind: "open", path: /file$/ }, { errno: "EMFILE", after: 1 });
    await (await system.open(path, "create")).close();
    expect(await codeOf(system.open(path, "read"))).toBe("TOO_MANY_OPEN_FILES");
    expect(injection.hits).toBe(1);
    await (await system.open(path, "read")).close();
  });

  test("writes a part, with or without an error", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const file = await system.open(path, "create");
    system.fail({ kind: "write" }, { shortBytes: 2 });
    expect(await file.write(bytes("hello"), 0)).toBe(2);
    system.fail({ kind: "write" }, { shortBytes: 1, errno: "ENOSPC" });
    expect(await codeOf(file.write(bytes("llo"), 2))).toBe("NO_SPACE");
    await file.close();
    expect(readFileSync(path, "utf8")).toBe("hel");
  });

  test("holds an operation until it is released", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const file = await system.open(path, "create");
    const hold = system.hold({ kind: "write" });
    const write = file.write(bytes("hello"), 0);
    expect((await hold.reached).kind).toBe("write");
    expect(readFileSync(path, "utf8")).toBe("");
    hold.release();
    expect(await write).toBe(5);
    await file.close();
  });

  test("dies at an operation, of which a part may still reach the disk, and frees its locks", async () => {
    const system = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const file = await system.open(path, "create");
    expect(file.tryLock("exclusive")).toBe(true);
    system.dieAt(system.count, 3);
    expect((await failureOf(file.write(bytes("hello"), 0))).code).toBe("IO_ERROR");
    expect((await failureOf(file.write(bytes("hello"), 0))).code).toBe("IO_ERROR");
    expect(readFileSync(path, "utf8")).toBe("hel");

    const other = new FaultyFileSystem();
    const second = await other.open(path, "update");
    expect(second.tryLock("exclusive")).toBe(false);
    await system.die();
    expect(second.tryLock("exclusive")).toBe(true);
    await second.close();
  });
});
