import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs, {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { hasSystemCode, isMissing, systemFailure } from "../../src/files/file-errors.js";
import { nodeFileSystem as system } from "../../src/files/node-file-system.js";
import { readFile, readFully, writeFully } from "../../src/files/whole-file.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const MODES = ["read", "update", "create", "open-or-create"] as const;

function withUmask(mask: number): void {
  const before = process.umask(mask);
  onTestFinished(() => {
    process.umask(before);
  });
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

describe("what is made", () => {
  it("is for its owner only, whatever the umask allows", async () => {
    withUmask(0);
    const directory = join(temporaryDirectory(), "made");
    await system.makeDirectory(directory);
    expect(modeOf(directory)).toBe(0o700);
    await (await system.open(join(directory, "one"), "create")).close();
    await (await system.open(join(directory, "two"), "open-or-create")).close();
    system.openSync(join(directory, "three"), "create").closeSync();
    for (const name of ["one", "two", "three"]) expect(modeOf(join(directory, name))).toBe(0o600);
  });
});

describe("open", () => {
  it("needs the file to exist, empties it, or keeps it, as its mode says", async () => {
    const directory = temporaryDirectory();
    const path = join(directory, "file");
    for (const mode of ["read", "update"] as const) {
      expect(isMissing(await failureOf(system.open(path, mode)))).toBe(true);
      expect(isMissing(await failureOf(() => system.openSync(path, mode)))).toBe(true);
    }
    writeFileSync(path, "kept");
    for (const mode of ["read", "update", "open-or-create"] as const) {
      await (await system.open(path, mode)).close();
      expect(readFileSync(path, "utf8")).toBe("kept");
    }
    await (await system.open(path, "create")).close();
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it.each(MODES)("refuses a symbolic link in mode %s", async (mode) => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "target"), "untouched");
    symlinkSync("target", join(directory, "link"));
    symlinkSync("nowhere", join(directory, "dangling"));
    for (const name of ["link", "dangling"]) {
      const path = join(directory, name);
      expect(await codeOf(system.open(path, mode))).toBe("UNSAFE_PATH");
      expect(await codeOf(() => system.openSync(path, mode))).toBe("UNSAFE_PATH");
      expect(lstatSync(path).isSymbolicLink()).toBe(true);
    }
    expect(readFileSync(join(directory, "target"), "utf8")).toBe("untouched");
  });

  it.each(MODES)("refuses what is no file in mode %s, and waits for none of it", async (mode) => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "directory"));
    execFileSync("mkfifo", [join(directory, "pipe")]);
    const socket = createServer().listen(join(directory, "socket"));
    onTestFinished(() => void socket.close());
    await once(socket, "listening");
    const faulty = new FaultyFileSystem();
    for (const path of [
      ...["directory", "pipe", "socket"].map((name) => join(directory, name)),
      "/dev/null",
    ]) {
      for (const each of [system, faulty]) {
        expect(await codeOf(each.open(path, mode)), path).toBe("UNSAFE_PATH");
        expect(await codeOf(() => each.openSync(path, mode)), path).toBe("UNSAFE_PATH");
      }
    }
    expect(faulty.openPaths).toEqual([]);
  });

  it("of a file for reading does not write", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "kept");
    const file = await system.open(path, "read");
    expect(await codeOf(file.write(Buffer.from("x"), 0))).toBe("IO_ERROR");
    expect(await codeOf(() => file.writeSync(Buffer.from("x"), 0))).toBe("IO_ERROR");
    await file.close();
  });
});

describe("an open file", () => {
  it("reads and writes by position, tells its length, and is cut", async () => {
    const path = join(temporaryDirectory(), "file");
    const file = await system.open(path, "create");
    await writeFully(file, Buffer.from("hello world"), 3);
    expect(await file.size()).toBe(14);
    expect(file.sizeSync()).toBe(14);
    const target = new Uint8Array(20);
    expect(await readFully(file, target, 3)).toBe(11);
    expect(Buffer.from(target.subarray(0, 11)).toString()).toBe("hello world");
    expect(file.readSync(target, 12)).toBe(2);
    expect(await file.read(target, 14)).toBe(0);
    await file.truncate(8);
    await file.datasync();
    expect(readFileSync(path)).toEqual(Buffer.from("\0\0\0hello"));
    file.writeSync(Buffer.from("H"), 3);
    await file.close();
    expect(readFileSync(path, "latin1")).toBe("\0\0\0Hello");
    expect(file.path).toBe(path);
  });

  it("writes the rest after a short write, and fails where there is no progress", async () => {
    const faulty = new FaultyFileSystem();
    const path = join(temporaryDirectory(), "file");
    const file = await faulty.open(path, "create");
    faulty.fail({ kind: "write" }, { shortBytes: 2 });
    faulty.fail({ kind: "write" }, { shortBytes: 1 });
    await writeFully(file, Buffer.from("hello"), 0);
    expect(readFileSync(path, "utf8")).toBe("hello");
    faulty.fail({ kind: "write" }, { shortBytes: 3 });
    faulty.fail({ kind: "write" }, { shortBytes: 0 });
    expect(await codeOf(writeFully(file, Buffer.from("HELLO"), 0))).toBe("NO_SPACE");
    faulty.fail({ kind: "write" }, { shortBytes: 0, times: 2 });
    expect(await codeOf(writeFully(file, Buffer.from("HELLO"), 0))).toBe("NO_SPACE");
    await file.close();
  });

  it("grants an exclusive lock once, shared ones often, and both only while it is open", async () => {
    const path = join(temporaryDirectory(), "file");
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map(() => system.open(path, "open-or-create")),
    );
    expect(one!.tryLock("exclusive")).toBe(true);
    expect(two!.tryLock("exclusive")).toBe(false);
    expect(two!.tryLock("shared")).toBe(false);
    one!.unlock();
    expect(two!.tryLock("shared")).toBe(true);
    expect(three!.tryLock("shared")).toBe(true);
    expect(one!.tryLock("exclusive")).toBe(false);
    await Promise.all([two!.close(), three!.close()]);
    expect(one!.tryLock("exclusive")).toBe(true);
    await one!.close();
  });
});

describe("directories", () => {
  it("are listed with the kinds of what is in them, links not followed", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "file"), "");
    mkdirSync(join(directory, "directory"));
    symlinkSync("file", join(directory, "link"));
    const kinds = new Map(
      (await system.readDirectory(directory)).map(({ name, kind }) => [name, kind]),
    );
    expect(kinds).toEqual(
      new Map([
        ["file", "file"],
        ["directory", "directory"],
        ["link", "symbolic link"],
      ]),
    );
    for (const [name, kind] of kinds) {
      expect(await system.kindOf(join(directory, name))).toBe(kind);
    }
    expect(await system.kindOf(join(directory, "none"))).toBeUndefined();
    expect(await system.kindOf("/dev/null")).toBe("other");
  });

  it("are removed with all in them, a link itself and not what it names", async () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, "kept"));
    writeFileSync(join(directory, "kept", "file"), "kept");
    mkdirSync(join(directory, "gone", "deep"), { recursive: true });
    symlinkSync("../kept", join(directory, "gone", "link"));
    await system.removeTree(join(directory, "gone"));
    await system.removeTree(join(directory, "gone"));
    expect(await system.kindOf(join(directory, "gone"))).toBeUndefined();
    expect(readFileSync(join(directory, "kept", "file"), "utf8")).toBe("kept");
  });

  it("fail as typed errors with the system's own as the cause", async () => {
    const directory = temporaryDirectory();
    const file = join(directory, "file");
    writeFileSync(file, "");
    const cases: [() => Promise<unknown>, string][] = [
      [() => system.makeDirectory(directory), "EEXIST"],
      [() => system.makeDirectory(join(directory, "a", "b")), "ENOENT"],
      [() => system.readDirectory(file), "ENOTDIR"],
      [() => system.readDirectory(join(directory, "none")), "ENOENT"],
      [() => system.unlink(join(directory, "none")), "ENOENT"],
      [() => system.rename(join(directory, "none"), file), "ENOENT"],
      [() => system.syncDirectory(join(directory, "none")), "ENOENT"],
      [() => system.kindOf(join(file, "below")), "ENOTDIR"],
    ];
    for (const [run, systemCode] of cases) {
      const failure = await failureOf(run);
      expect(failure.code).toBe("IO_ERROR");
      expect(hasSystemCode(failure, systemCode), failure.message).toBe(true);
      expect(failure.message).toContain(directory);
    }
  });

  it("without permission are FILE_ACCESS", async ({ skip }) => {
    skip(process.getuid?.() === 0, "root may do everything");
    const directory = temporaryDirectory();
    chmodSync(directory, 0o500);
    expect(await codeOf(system.makeDirectory(join(directory, "a")))).toBe("FILE_ACCESS");
  });
});

describe("readFile", () => {
  it("reads at most what it is told to, whatever the length of the file", async () => {
    const path = join(temporaryDirectory(), "file");
    writeFileSync(path, "hello world");
    expect(Buffer.from(await readFile(system, path, 5)).toString()).toBe("hello");
    expect(Buffer.from(await readFile(system, path, 500)).toString()).toBe("hello world");
  });
});

describe("systemFailure", () => {
  it.each([
    ["ENOSPC", "NO_SPACE"],
    ["EDQUOT", "NO_SPACE"],
    ["EFBIG", "NO_SPACE"],
    ["EACCES", "FILE_ACCESS"],
    ["EPERM", "FILE_ACCESS"],
    ["EROFS", "FILE_ACCESS"],
    ["EMFILE", "TOO_MANY_OPEN_FILES"],
    ["ENFILE", "TOO_MANY_OPEN_FILES"],
    ["ELOOP", "UNSAFE_PATH"],
    ["EISDIR", "UNSAFE_PATH"],
    ["ENXIO", "UNSAFE_PATH"],
    ["EIO", "IO_ERROR"],
    ["EWHATEVER", "IO_ERROR"],
  ])("of %s is %s", (systemCode, code) => {
    const cause = Object.assign(new Error(`${systemCode}: bad luck`), { code: systemCode });
    const failure = systemFailure(cause, "write to", "/some/file");
    expect(failure).toMatchObject({ code, cause });
    expect(failure.message).toContain(`Cannot write to /some/file: ${systemCode}.`);
  });

  it("of an error without a code keeps its message", () => {
    expect(systemFailure(new Error("odd"), "open", "/f").message).toContain("odd");
  });
});

describe("a sync", () => {
  const failure = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });

  it("of a file reaches the operating system, and fails as that says", async () => {
    const file = await system.open(join(temporaryDirectory(), "file"), "create");
    const spy = vi.spyOn(fs, "fdatasync");
    onTestFinished(async () => {
      spy.mockRestore();
      await file.close();
    });
    await file.datasync();
    expect(spy).toHaveBeenCalledOnce();
    spy.mockImplementationOnce((_descriptor, done) => done(failure));
    expect(await failureOf(file.datasync())).toMatchObject({ code: "IO_ERROR", cause: failure });
  });

  it("of a directory does, too", async () => {
    const directory = temporaryDirectory();
    const handle = await fs.promises.open(directory);
    const spy = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, "sync");
    await handle.close();
    onTestFinished(() => spy.mockRestore());
    await system.syncDirectory(directory);
    expect(spy).toHaveBeenCalledOnce();
    spy.mockRejectedValueOnce(failure);
    const failed = failureOf(system.syncDirectory(directory));
    expect(await failed).toMatchObject({ code: "IO_ERROR", cause: failure });
  });
});
