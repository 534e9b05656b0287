import { describe, expect, test } from "vitest";
import { hasSystemCode } from "../../src/files/file-errors.js";
import type { FileSystem, OpenFile, OpenMode } from "../../src/files/file-system.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { MemoryDisk, type MemoryNode } from "./memory-disk.js";
import { MemoryFileSystem } from "./memory-file-system.js";
import { Random, seeds } from "./random.js";
import { temporaryDirectory } from "./temporary-directory.js";

const NAMES = ["a", "b", "c", "d/a", "d/b", "d"];
const MODES: readonly OpenMode[] = ["read", "update", "create", "open-or-create"];
const CODES = ["EINVAL", "ENOENT", "EEXIST", "EISDIR", "ENOTDIR", "EBADF", "ENOTEMPTY"];

/** What a call came to, as far as two file systems must agree. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return (await call()) ?? "done";
  } catch (error) {
    return CODES.find((code) => hasSystemCode(error, code)) ?? error;
  }
}

/** Some calls on a file system; a call is told in `log` with what it came to. */
async function use(fileSystem: FileSystem, root: string, random: Random): Promise<unknown[]> {
  const log: unknown[] = [];
  const files: OpenFile[] = [];
  const name = () => `${root}/${random.pick(NAMES)}`;
  const note = async (what: string, call: () => unknown) => {
    log.push([what, await outcomeOf(call)]);
  };
  for (let step = 0; step < 200; step++) {
    const path = name();
    const other = name();
    const mode = random.pick(MODES);
    const position = random.below(50);
    const bytes = new Uint8Array(random.below(30)).fill(step);
    const file = random.pick(files.length > 0 ? files : [undefined]);
    const kind = random.below(10);
    // A directory that replaces a file, or is opened, is of no interest here.
    const isDirectory = path.endsWith("/d") || other.endsWith("/d");
    if (kind === 0) await note("mkdir", () => fileSystem.makeDirectory(`${root}/d`));
    else if (kind === 1 && !isDirectory) await note("mv", () => fileSystem.rename(path, other));
    else if (kind === 2 && !isDirectory) await note("rm", () => fileSystem.unlink(path));
    else if (kind === 3 && step % 7 === 0) await note("rm -r", () => fileSystem.removeTree(path));
    else if (kind === 4) await note("kind", () => fileSystem.kindOf(path));
    else if (kind <= 6 && !isDirectory) {
      await note(mode, async () => {
        files.push(await fileSystem.open(path, mode));
      });
    } else if (file !== undefined) {
      await note("write", () => file.write(bytes, position));
      await note("size", () => file.size());
      if (kind === 9) await note("cut", () => file.truncate(position));
      const target = new Uint8Array(20);
      await note("read", () => file.read(target, position));
      log.push([...target]);
      await note("sync", () => file.datasync());
    }
    await note("list", async () =>
      (await fileSystem.readDirectory(root)).map(({ name, kind }) => `${name} ${kind}`).sort(),
    );
  }
  for (const file of files) await file.close();
  return log;
}

describe("a file system in memory", () => {
  for (const seed of seeds(20)) {
    test(`does what the machine's does, seed ${seed}`, async () => {
      const memory = new MemoryFileSystem();
      await memory.makeDirectory("/root");
      const expected = await use(nodeFileSystem, temporaryDirectory(), new Random(seed));
      const actual = await use(memory, "/root", new Random(seed));
      for (const [index, each] of expected.entries()) {
        expect(actual[index], `call ${index}`).toEqual(each);
      }
      expect(actual.length).toBe(expected.length);
      expect(memory.openPaths).toEqual([]);
    });
  }

  test("knows what of a file is on stable storage", async () => {
    const memory = new MemoryFileSystem();
    const file = await memory.open("/x", "create");
    await file.write(Buffer.from("one"), 0);
    await file.datasync();
    await file.write(Buffer.from("two"), 3);
    const { durable, seen, changes } = fileState(memory.disk.find("/x")!);
    expect(Buffer.from(durable).toString()).toBe("one");
    expect(Buffer.from(seen).toString()).toBe("onetwo");
    expect(changes).toHaveLength(1);
  });

  test("never stores what a failed sync has dropped", async () => {
    let fails = true;
    const memory = new MemoryFileSystem(new MemoryDisk(), {
      beforeChange: (kind) => (kind === "datasync" && fails ? { errno: "EIO" } : undefined),
    });
    const file = await memory.open("/x", "create");
    await file.write(Buffer.from("lost"), 0);
    await expect(file.datasync()).rejects.toMatchObject({ code: "IO_ERROR" });
    fails = false;
    await file.write(Buffer.from("kept"), 4);
    await file.datasync();
    const { durable, seen } = fileState(memory.disk.find("/x")!);
    expect(Buffer.from(durable).toString()).toBe("\0\0\0\0kept");
    expect(Buffer.from(seen).toString()).toBe("lostkept");
  });

  test("keeps the names of a directory until it is synced", async () => {
    const memory = new MemoryFileSystem();
    await (await memory.open("/a", "create")).close();
    await memory.syncDirectory("/");
    await memory.rename("/a", "/b");
    const { state } = memory.disk.root;
    if (state.kind !== "directory") throw new Error("not a directory");
    expect([...state.durable.keys()]).toEqual(["a"]);
    expect([...state.seen.keys()]).toEqual(["b"]);
  });

  test("goes on from an image of itself without touching it", async () => {
    const memory = new MemoryFileSystem();
    const file = await memory.open("/x", "create");
    await file.write(Buffer.from("one"), 0);
    const image = memory.disk.capture();
    await file.write(Buffer.from("two"), 0);
    const other = new MemoryFileSystem(MemoryDisk.from(image, (state) => state));
    const again = await other.open("/x", "update");
    await again.write(Buffer.from("six"), 3);
    const text = (disk: MemoryDisk) => Buffer.from(fileState(disk.find("/x")!).seen).toString();
    expect(text(memory.disk)).toBe("two");
    expect(text(other.disk)).toBe("onesix");
    expect(image.states.size).toBe(2);
  });
});

function fileState(node: MemoryNode) {
  if (node.state.kind !== "file") throw new Error("not a file");
  return node.state;
}
