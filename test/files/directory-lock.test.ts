import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { DirectoryLock } from "../../src/files/directory-lock.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const DIST = new URL("../../dist/", import.meta.url).href;

/** A process that takes the lock, says so, and keeps it until it is killed. */
async function holder(directory: string): Promise<ChildProcess> {
  const code = `
    const { DirectoryLock } = await import("${DIST}files/directory-lock.js");
    const { nodeFileSystem } = await import("${DIST}files/node-file-system.js");
    globalThis.lock = await DirectoryLock.acquire(nodeFileSystem, process.argv[1]);
    process.stdout.write("locked");
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await once(child.stdout!, "data");
  return child;
}

describe("DirectoryLock", () => {
  it("keeps a second writer of the same process out until it is released", async () => {
    const directory = temporaryDirectory();
    const lock = await DirectoryLock.acquire(nodeFileSystem, directory);
    const failure = await failureOf(DirectoryLock.acquire(nodeFileSystem, directory));
    expect(failure.code).toBe("LOCKED");
    expect(failure.message).toContain(`process ${process.pid}`);
    expect(failure.message).toContain("readOnly");
    await lock.release();
    await (await DirectoryLock.acquire(nodeFileSystem, directory)).release();
  });

  it("keeps other processes out, and is gone with a process that is killed", async () => {
    const directory = temporaryDirectory();
    const child = await holder(directory);
    const failure = await failureOf(DirectoryLock.acquire(nodeFileSystem, directory));
    expect(failure.code).toBe("LOCKED");
    expect(failure.message).toContain(`process ${child.pid}`);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    const lock = await DirectoryLock.acquire(nodeFileSystem, directory);
    expect(readFileSync(join(directory, "LOCK"), "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
  });

  it("names its holder to all who come in the same moment, whoever held it before", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "LOCK"), "12345678901234567890\n");
    const attempts = Array.from({ length: 10 }, () =>
      DirectoryLock.acquire(nodeFileSystem, directory),
    );
    const outcomes = await Promise.allSettled(attempts);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused).toHaveLength(9);
    for (const { reason } of refused) expect(reason.message).toContain(`process ${process.pid}.`);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") await outcome.value.release();
    }
  });

  it("does not depend on what the file says", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "LOCK"), "99999999999999999999999999999999");
    const lock = await DirectoryLock.acquire(nodeFileSystem, directory);
    writeFileSync(join(directory, "LOCK"), "\u001b[31mevil");
    const failure = await failureOf(DirectoryLock.acquire(nodeFileSystem, directory));
    expect(failure.message).toContain("another process");
    await lock.release();
  });

  it("leaves the holder's note and no handle behind when it is refused", async () => {
    const directory = temporaryDirectory();
    const lock = await DirectoryLock.acquire(nodeFileSystem, directory);
    const system = new FaultyFileSystem();
    expect(await codeOf(DirectoryLock.acquire(system, directory))).toBe("LOCKED");
    expect(system.openPaths).toEqual([]);
    expect(readFileSync(join(directory, "LOCK"), "utf8")).toBe(`${process.pid}\n`);
    await lock.release();
  });

  it("gives the lock back when its note cannot be written", async () => {
    const directory = temporaryDirectory();
    const system = new FaultyFileSystem();
    system.fail({ kind: "write" }, { errno: "ENOSPC" });
    expect(await codeOf(DirectoryLock.acquire(system, directory))).toBe("NO_SPACE");
    expect(system.openPaths).toEqual([]);
    await (await DirectoryLock.acquire(nodeFileSystem, directory)).release();
  });

  it("refuses a symbolic link", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "target"), "untouched");
    symlinkSync("target", join(directory, "LOCK"));
    expect(await codeOf(DirectoryLock.acquire(nodeFileSystem, directory))).toBe("UNSAFE_PATH");
    expect(readFileSync(join(directory, "target"), "utf8")).toBe("untouched");
  });
});
