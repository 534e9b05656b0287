import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HandlePool, PooledFile } from "../../src/files/handle-pool.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { Random } from "../support/random.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Of a limit of 16, eight are kept for handles that are not pooled. */
const LIMIT = 16;
const POOLED = 8;

function newPool(count: number) {
  const system = new FaultyFileSystem();
  const pool = new HandlePool(system, LIMIT);
  const directory = temporaryDirectory();
  const files = Array.from({ length: count }, (_, index) => {
    const path = join(directory, `file-${index}`);
    writeFileSync(path, `content ${index}`);
    return new PooledFile(pool, path, "update");
  });
  return { system, pool, files };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

async function use(file: PooledFile): Promise<void> {
  await file.acquire();
  file.release();
}

/** Resolves after all that can happen without the disk has happened. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("HandlePool", () => {
  it("keeps files open that are used again", async () => {
    const { system, pool, files } = newPool(3);
    for (let turn = 0; turn < 3; turn++) for (const file of files) await use(file);
    expect(system.countOf("open")).toBe(3);
    expect(system.countOf("close")).toBe(0);
    expect(pool.openCount).toBe(3);
  });

  it("opens a file once for all who ask at the same time", async () => {
    const { system, files } = newPool(1);
    const file = files[0]!;
    const opened = await Promise.all([file.acquire(), file.acquire(), file.acquire()]);
    expect(new Set(opened).size).toBe(1);
    expect(system.countOf("open")).toBe(1);
    for (let count = 0; count < 3; count++) file.release();
    await file.close();
    expect(system.openPaths).toEqual([]);
  });

  it("closes the longest idle of the files first", async () => {
    const { system, files } = newPool(POOLED + 2);
    for (const file of files.slice(0, POOLED)) await use(file);
    await use(files[0]!);
    await use(files[POOLED]!);
    await use(files[POOLED + 1]!);
    const closed = system.matching({ kind: "close" }).map(({ path }) => nameOf(path));
    expect(closed).toEqual(["file-1", "file-2"]);
    expect(system.openPaths).toHaveLength(POOLED);
  });

  it("rather closes a clean file than one that it would have to sync", async () => {
    const { system, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) await use(file);
    files[0]!.hasUnsyncedWrites = true;
    await use(files[POOLED]!);
    expect(system.matching({ kind: "close" }).map(({ path }) => nameOf(path))).toEqual(["file-1"]);
  });

  it("syncs what was written before it closes a file", async () => {
    const { system, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) {
      const open = await file.acquire();
      file.hasUnsyncedWrites = true;
      file.syncBeforeClose = () => open.datasync();
      file.release();
    }
    await use(files[POOLED]!);
    expect(system.operations.slice(-3).map(({ kind, path }) => [kind, nameOf(path)])).toEqual([
      ["datasync", "file-0"],
      ["close", "file-0"],
      ["open", `file-${POOLED}`],
    ]);
    expect(files[0]!.hasUnsyncedWrites).toBe(false);
  });

  it("waits while all files are in use, and goes on as soon as one is given back", async () => {
    const { system, pool, files } = newPool(POOLED + 2);
    for (const file of files.slice(0, POOLED)) await file.acquire();
    const order: number[] = [];
    const waiting = [POOLED, POOLED + 1].map((each) =>
      files[each]!.acquire().then(() => order.push(each)),
    );
    await settle();
    expect(system.countOf("open")).toBe(POOLED);
    files[3]!.release();
    await waiting[0];
    await settle();
    expect(order).toEqual([POOLED]);
    files[5]!.release();
    await waiting[1];
    expect(order).toEqual([POOLED, POOLED + 1]);
    expect(pool.openCount).toBe(POOLED);
  });

  it("lets a waiter go on when a file is closed for good instead", async () => {
    const { files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) await file.acquire();
    const waiting = files[POOLED]!.acquire();
    await settle();
    await files[0]!.close();
    files[0]!.release();
    await waiting;
  });

  it("lets a waiter go on when the file that took its place cannot be opened", async () => {
    const { system, pool, files } = newPool(POOLED + 2);
    for (const file of files.slice(0, POOLED)) await file.acquire();
    system.fail({ kind: "open", path: new RegExp(`file-${POOLED}$`) }, { errno: "EMFILE" });
    const failing = codeOf(files[POOLED]!.acquire());
    const waiting = files[POOLED + 1]!.acquire();
    await settle();
    files[0]!.release();
    expect(await failing).toBe("TOO_MANY_OPEN_FILES");
    await waiting;
    expect(pool.openCount).toBe(POOLED);
    await use(files[POOLED + 1]!);
  });

  it("never has more files open than its limit, closing ones counted", async () => {
    const { system, files } = newPool(60);
    for (const file of files.slice(0, POOLED)) await use(file);
    let opening = 0;
    let most = 0;
    const { open } = system;
    system.open = async (path, mode) => {
      opening++;
      most = Math.max(most, system.openPaths.length + opening);
      try {
        return await open.call(system, path, mode);
      } finally {
        opening--;
      }
    };
    const hold = system.hold({ kind: "close" });
    const uses = files.map(use);
    await hold.reached;
    await settle();
    hold.release();
    await Promise.all(uses);
    expect(most).toBeLessThanOrEqual(POOLED);
  });

  it("opens for a synchronous reader at once, over the limit by that one", async () => {
    const { system, pool, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) await file.acquire();
    files[POOLED]!.acquireSync();
    expect(pool.openCount).toBe(POOLED + 1);
    files[POOLED]!.release();
    files[0]!.release();
    const { path } = files[0]!;
    const other = new PooledFile(pool, path, "read");
    await use(other);
    expect(pool.openCount).toBe(POOLED);
    expect(system.openPaths).toHaveLength(POOLED);
  });

  it("closes a clean idle file for a synchronous reader, never one with unsynced writes", async () => {
    const { system, files } = newPool(POOLED + 2);
    for (const file of files.slice(0, POOLED)) await use(file);
    for (const file of files.slice(0, POOLED - 1)) file.hasUnsyncedWrites = true;
    files[POOLED]!.acquireSync();
    files[POOLED + 1]!.acquireSync();
    const closed = system.matching({ kind: "close" }).map(({ path }) => nameOf(path));
    expect(closed).toEqual([`file-${POOLED - 1}`]);
    expect(system.countOf("datasync")).toBe(0);
  });

  it("gives the place back when a synchronous reader cannot open", async () => {
    const { system, pool, files } = newPool(1);
    system.fail({ kind: "open" }, { errno: "EMFILE" });
    expect(() => files[0]!.acquireSync()).toThrow(
      expect.objectContaining({ code: "TOO_MANY_OPEN_FILES" }),
    );
    expect(pool.openCount).toBe(0);
    await use(files[0]!);
  });

  describe("when the process has no handle left", () => {
    const LARGE = 100;

    function poolOfUsed(count: number) {
      const system = new FaultyFileSystem();
      const pool = new HandlePool(system, LARGE);
      const directory = temporaryDirectory();
      const files = Array.from({ length: count + 1 }, (_, index) => {
        const path = join(directory, `file-${index}`);
        writeFileSync(path, `content ${index}`);
        return new PooledFile(pool, path, "update");
      });
      return { system, pool, files, last: files[count]! };
    }

    it("closes a part of the idle files, tries again, and keeps fewer from then on", async () => {
      const { system, pool, files, last } = poolOfUsed(40);
      for (const file of files.slice(0, 40)) await use(file);
      system.fail({ kind: "open" }, { errno: "EMFILE" });
      await use(last);
      expect(pool.openCount).toBe(30);
      for (const file of files) await use(file);
      expect(system.openPaths).toHaveLength(30);
    });

    it("does so for a synchronous reader, of clean files alone", async () => {
      const { system, files, last } = poolOfUsed(40);
      for (const file of files.slice(0, 40)) await use(file);
      for (const file of files.slice(0, 35)) file.hasUnsyncedWrites = true;
      system.fail({ kind: "open" }, { errno: "EMFILE" });
      last.acquireSync();
      const closed = system.matching({ kind: "close" }).map(({ path }) => nameOf(path));
      expect(closed).toEqual([35, 36, 37, 38, 39].map((index) => `file-${index}`));
      expect(system.countOf("datasync")).toBe(0);
    });

    it("fails where there is nothing to close, or closing does not help", async () => {
      const { system, pool, files, last } = poolOfUsed(40);
      for (const file of files.slice(0, 20)) await file.acquire();
      for (const file of files.slice(20, 40)) await use(file);
      system.fail({ kind: "open" }, { errno: "EMFILE", times: Number.POSITIVE_INFINITY });
      expect(await codeOf(last.acquire())).toBe("TOO_MANY_OPEN_FILES");
      expect(() => last.acquireSync()).toThrow(
        expect.objectContaining({ code: "TOO_MANY_OPEN_FILES" }),
      );
      expect(pool.openCount).toBe(20);
    });
  });

  it("bounds the handles that are not pooled, and serves those who wait in order", async () => {
    const { pool } = newPool(0);
    const gates: (() => void)[] = [];
    const begun: number[] = [];
    const runs = Array.from({ length: 20 }, (_, index) =>
      pool.transient(async () => {
        begun.push(index);
        await new Promise<void>((resolve) => gates.push(resolve));
        if (index === 3) throw new Error("failed");
        return index;
      }),
    );
    const results = Promise.allSettled(runs);
    await settle();
    expect(begun).toHaveLength(LIMIT - POOLED);
    while (begun.length < 20 || gates.length > 0) {
      gates.shift()?.();
      await settle();
      expect(gates.length).toBeLessThanOrEqual(LIMIT - POOLED);
    }
    expect(begun).toEqual(Array.from({ length: 20 }, (_, index) => index));
    const rejected = (await results).flatMap(({ status }, index) =>
      status === "rejected" ? [index] : [],
    );
    expect(rejected).toEqual([3]);
    expect(await pool.transient(async () => "again")).toBe("again");
  });
});

describe("PooledFile", () => {
  it("that is closed while it is being opened is closed then", async () => {
    const { system, pool, files } = newPool(1);
    const hold = system.hold({ kind: "open" });
    const acquired = files[0]!.acquire();
    await hold.reached;
    const closed = files[0]!.close();
    hold.release();
    await acquired;
    files[0]!.release();
    await closed;
    await files[0]!.close();
    expect(system.openPaths).toEqual([]);
    expect(pool.openCount).toBe(0);
  });

  it("that is closed in use stays open until it is given back", async () => {
    const { system, pool, files } = newPool(1);
    const open = await files[0]!.acquire();
    await files[0]!.close();
    expect(await open.size()).toBe(9);
    files[0]!.release();
    await files[0]!.close();
    expect(system.openPaths).toEqual([]);
    expect(pool.openCount).toBe(0);
  });

  it("opened by a synchronous reader meanwhile is open once", async () => {
    const { system, pool, files } = newPool(1);
    const hold = system.hold({ kind: "open" });
    const acquired = files[0]!.acquire();
    await hold.reached;
    const open = files[0]!.acquireSync();
    hold.release();
    expect(await acquired).toBe(open);
    expect(pool.openCount).toBe(1);
    expect(system.openPaths).toHaveLength(1);
    files[0]!.release();
    files[0]!.release();
    await files[0]!.close();
    expect(pool.openCount).toBe(0);
    expect(system.openPaths).toEqual([]);
  });

  it("counts right when the handle that it does not need fails to close", async () => {
    const { system, pool, files } = newPool(1);
    const hold = system.hold({ kind: "open" });
    const acquired = files[0]!.acquire();
    await hold.reached;
    files[0]!.acquireSync();
    system.fail({ kind: "close" }, { errno: "EIO" });
    hold.release();
    await acquired;
    expect(pool.openCount).toBe(1);
  });

  it("opened by a synchronous reader while it waited for room is open once", async () => {
    const { system, pool, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) await file.acquire();
    const last = files[POOLED]!;
    const acquired = last.acquire();
    await settle();
    const open = last.acquireSync();
    files[0]!.release();
    files[1]!.release();
    expect(await acquired).toBe(open);
    last.release();
    last.release();
    for (const file of files.slice(2, POOLED)) file.release();
    for (const file of files) await file.close();
    expect(pool.openCount).toBe(0);
    expect(system.openPaths).toEqual([]);
  });

  it("stays open if it is written to while the pool syncs it", async () => {
    const { system, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) {
      const open = await file.acquire();
      file.hasUnsyncedWrites = true;
      file.syncBeforeClose = () => open.datasync();
      file.release();
    }
    const hold = system.hold({ kind: "datasync" });
    const waiting = use(files[POOLED]!);
    await hold.reached;
    const open = await files[0]!.acquire();
    files[0]!.hasUnsyncedWrites = true;
    await open.write(Buffer.from("later"), 0);
    files[0]!.release();
    hold.release();
    await waiting;
    const closed = system.matching({ kind: "close" }).map(({ path }) => nameOf(path));
    expect(closed).toEqual(["file-1"]);
    expect(files[0]!.hasUnsyncedWrites).toBe(true);
  });

  it("stays open if somebody uses it while the pool syncs it", async () => {
    const { system, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) {
      const open = await file.acquire();
      file.hasUnsyncedWrites = true;
      file.syncBeforeClose = () => open.datasync();
      file.release();
    }
    const hold = system.hold({ kind: "datasync" });
    const waiting = use(files[POOLED]!);
    await hold.reached;
    const open = await files[0]!.acquire();
    hold.release();
    await waiting;
    expect(await open.size()).toBeGreaterThan(0);
    files[0]!.release();
    expect(system.matching({ kind: "close", path: /file-0$/ })).toEqual([]);
  });

  it("that is closed while the pool syncs it is closed", async () => {
    const { system, pool, files } = newPool(POOLED + 1);
    for (const file of files.slice(0, POOLED)) {
      const open = await file.acquire();
      file.hasUnsyncedWrites = true;
      file.syncBeforeClose = async () => {
        await open.datasync();
        file.hasUnsyncedWrites = true;
      };
      file.release();
    }
    const hold = system.hold({ kind: "datasync" });
    const waiting = files[POOLED]!.acquire();
    await hold.reached;
    await files[0]!.close();
    for (const file of files.slice(1, POOLED)) {
      file.syncBeforeClose = undefined;
      file.hasUnsyncedWrites = false;
    }
    hold.release();
    await waiting;
    files[POOLED]!.release();
    for (const file of files) await file.close();
    expect(system.openPaths).toEqual([]);
    expect(pool.openCount).toBe(0);
  });

  it("can be used in any interleaving: bounded, counted, and none left open", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const { system, pool, files } = newPool(12);
      const worker = async () => {
        for (let turn = 0; turn < 40; turn++) {
          const file = files[random.below(files.length)]!;
          if (random.below(10) === 0) {
            file.acquireSync();
          } else {
            const open = await file.acquire();
            await open.size();
            if (random.below(4) === 0) file.hasUnsyncedWrites = true;
          }
          file.syncBeforeClose ??= settle;
          if (random.below(3) === 0) await settle();
          file.release();
        }
      };
      await Promise.all(Array.from({ length: 10 }, worker));
      expect(pool.openCount, `seed ${seed}`).toBe(system.openPaths.length);
      expect(pool.openCount, `seed ${seed}`).toBeLessThanOrEqual(files.length);
      for (const file of files) await file.close();
      expect(pool.openCount, `seed ${seed}`).toBe(0);
      expect(system.openPaths, `seed ${seed}`).toEqual([]);
    }
  });
});
