import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import {
  type CheckpointEntry,
  encodeCheckpointHeader,
  encodeFrame,
  frameChecksum,
} from "../../src/format/checkpoint-frame.js";
import { checksum } from "../../src/format/checksum.js";
import { resolveLogOptions } from "../../src/log/options.js";
import { type CommittedState, loadCheckpoint } from "../../src/store/checkpoint-file.js";
import { CommittedOffsets } from "../../src/store/committed-offsets.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";
import { fill, kill, leaveUnclean, openStore } from "./stores.js";

const STORE_ID = new Uint8Array(16).fill(3);
const LOG_ID = "5a".repeat(16);

function committed(group: string, key: string, next: number): CheckpointEntry {
  return { kind: "committed", group, key, logId: LOG_ID, next };
}

/** Groups, keys and offsets as text, to be compared. */
function textOf(state: CommittedState): string {
  const lines: string[] = [];
  for (const [group, offsets] of state) {
    for (const [key, { next }] of offsets) lines.push(`${group}/${key}=${next}`);
  }
  return lines.sort().join(" ");
}

/** A checkpoint of several frames, and the state after each of them. */
function sample(): { bytes: Buffer; ends: number[]; states: string[] } {
  const changes: CheckpointEntry[][] = [
    [committed("g", "a", 1), committed("g", "b", 1)],
    [committed("g", "a", 2)],
    [committed("h", "a", 300), committed("g", "b", 7)],
    [{ kind: "key deleted", key: "a" }],
    [committed("g", "a", 1)],
  ];
  const header = encodeCheckpointHeader(STORE_ID, new Uint8Array(16).fill(8));
  const pieces = [header];
  const ends = [header.length];
  const states = [""];
  const state = new Map<string, number>();
  let link = frameChecksum(header);
  for (const entries of changes) {
    const frame = encodeFrame(entries, link);
    link = frameChecksum(frame);
    pieces.push(frame);
    ends.push(ends.at(-1)! + frame.length);
    for (const entry of entries) {
      if (entry.kind === "committed") state.set(`${entry.group}/${entry.key}`, entry.next);
      else for (const name of [...state.keys()]) if (name.endsWith("/a")) state.delete(name);
    }
    states.push(
      [...state]
        .map(([name, next]) => `${name}=${next}`)
        .sort()
        .join(" "),
    );
  }
  return { bytes: Buffer.concat(pieces), ends, states };
}

async function load(bytes: Uint8Array) {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "committed-offsets"), bytes);
  return loadCheckpoint(nodeFileSystem, directory, STORE_ID);
}

describe("a checkpoint", () => {
  it("cut at any length gives the state after the last whole frame", async () => {
    const { bytes, ends, states } = sample();
    for (let length = 0; length <= bytes.length; length++) {
      const loaded = await load(bytes.subarray(0, length));
      const whole = ends.findLastIndex((end) => end <= length);
      expect(textOf(loaded.state), `${length} bytes`).toBe(whole < 0 ? "" : states[whole]);
      expect(loaded.validBytes).toBe(whole < 0 ? 0 : ends[whole]);
      expect(loaded.fileBytes).toBe(length);
      expect(loaded.damage === undefined).toBe(ends.includes(length));
    }
  });

  it("with any bit flipped gives the state before the frame that has it", async () => {
    const { bytes, ends, states } = sample();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      const loaded = await load(flipped);
      const whole = ends.findLastIndex((end) => end <= bit >>> 3);
      expect(textOf(loaded.state), `bit ${bit}`).toBe(whole < 0 ? "" : states[whole]);
      expect(loaded.damage).toBeDefined();
    }
  });

  it("that is followed by anything is read as far as it is whole", async () => {
    const { bytes, states } = sample();
    const other = sample().bytes.subarray(56);
    for (const tail of [Buffer.alloc(1), Buffer.alloc(4096), randomBytes(500), other, bytes]) {
      const loaded = await load(Buffer.concat([bytes, tail]));
      expect(textOf(loaded.state)).toBe(states.at(-1));
      expect(loaded.validBytes).toBe(bytes.length);
      expect(loaded.damage).toBeDefined();
    }
  });

  it("of another store is not read", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "committed-offsets"), sample().bytes);
    const loaded = await loadCheckpoint(nodeFileSystem, directory, new Uint8Array(16));
    expect(loaded).toMatchObject({ validBytes: 0, damage: expect.stringContaining("another") });
    expect(loaded.state.size).toBe(0);
  });

  it("of a newer version is not taken for a damaged one", async () => {
    const bytes = Buffer.concat([sample().bytes.subarray(0, 56), Buffer.alloc(8)]);
    bytes.writeUInt16LE(1, 8);
    bytes.writeUInt16LE(64, 10);
    bytes.writeUInt32LE(checksum(bytes.subarray(4)), 0);
    expect(await codeOf(load(bytes))).toBe("UNSUPPORTED_FORMAT");
  });

  it("with an entry that must be understood and is not, is not taken for a damaged one", async () => {
    const { bytes } = sample();
    const frame = Buffer.alloc(15);
    frame.writeUInt32LE(3, 4);
    frame.writeUInt32LE(1, 8);
    frame.set([2, 4, 0], 12);
    const header = bytes.subarray(0, 56);
    frame.writeUInt32LE(checksum(frame.subarray(4), frameChecksum(header)), 0);
    expect(await codeOf(load(Buffer.concat([header, frame])))).toBe("UNSUPPORTED_FORMAT");
  });
});

/** A store whose group "g" has committed 4 of "k", and 6 in its last frame. */
async function storeWithCommits(directory: string): Promise<void> {
  const store = await openStore(directory);
  await fill(store, "k", 10);
  await store.group("g").commit({ k: 4 });
  await store.group("g").commit({ k: 6 });
  await store.close();
}

describe("a store with a damaged checkpoint", () => {
  it("opens with an earlier state, says so, keeps the damaged file, and goes on", async () => {
    const directory = newPath();
    await storeWithCommits(directory);
    const path = join(directory, "committed-offsets");
    const damaged = readFileSync(path);
    damaged[damaged.length - 3]! ^= 1;
    writeFileSync(path, damaged);
    const reader = await openStore(directory, { readOnly: true });
    expect(reader.recovery.checkpointDamage).toContain("checksum");
    expect(await reader.group("g").committed()).toEqual(new Map([["k", 4]]));
    const store = await openStore(directory);
    expect(store.recovery.checkpointDamage).toContain("checksum");
    expect(await store.group("g").committed()).toEqual(new Map([["k", 4]]));
    expect(readFileSync(path)).toEqual(damaged);
    await store.group("g").commit({ k: 5 });
    await store.close();
    const again = await openStore(directory);
    expect(again.recovery.checkpointDamage).toBeUndefined();
    expect(await again.group("g").committed()).toEqual(new Map([["k", 5]]));
    const copies = readdirSync(directory).filter((name) => name.includes(".cut-"));
    expect(copies).toHaveLength(1);
    expect(readFileSync(join(directory, copies[0]!))).toEqual(damaged);
  });

  it("without it, or with an empty one, opens with nothing committed", async () => {
    const directory = newPath();
    await storeWithCommits(directory);
    for (const make of [
      (path: string) => rmSync(path),
      (path: string) => writeFileSync(path, ""),
      (path: string) => writeFileSync(path, Buffer.alloc(4096)),
    ]) {
      make(join(directory, "committed-offsets"));
      const store = await openStore(directory);
      expect(await store.group("g").committed()).toEqual(new Map());
      await store.group("g").commit({ k: 1 });
      await store.close();
    }
  });
});

describe("commits", () => {
  it("of a session that was killed are there, under every policy", async () => {
    for (const durability of ["always", "interval", "os"] as const) {
      const directory = newPath();
      await leaveUnclean(directory, { durability }, async (store) => {
        await fill(store, "k", 10);
        await store.group("g").commit({ k: 4 });
        await store.group("g").commit({ k: 6 });
      });
      const store = await openStore(directory);
      expect(store.recovery.checkpointDamage).toBeUndefined();
      expect(await store.group("g").committed()).toEqual(new Map([["k", 6]]));
    }
  });

  it("go to a new file in each session, never behind what an earlier one left", async () => {
    const directory = newPath();
    await storeWithCommits(directory);
    const path = join(directory, "committed-offsets");
    const before = statSync(path).ino;
    const header = readFileSync(path).subarray(0, 56);
    const store = await openStore(directory);
    await store.group("g").commit({ k: 6 });
    expect(statSync(path).ino).toBe(before);
    await store.group("g").commit({ k: 7 });
    expect(readFileSync(path).subarray(0, 56)).not.toEqual(header);
  });

  it("that die at any step are there or not, and earlier ones are", async () => {
    for (let step = 0; ; step++) {
      const directory = newPath();
      await storeWithCommits(directory);
      const fileSystem = new FaultyFileSystem();
      const store = await openStore(directory, {}, fileSystem);
      await store.bounds("k");
      const first = fileSystem.count;
      fileSystem.dieAt(first + step, step % 7);
      const done: number[] = [6];
      for (const next of [7, 8, 9]) {
        const isDone = await store
          .group("g")
          .commit({ k: next })
          .then(
            () => true,
            () => false,
          );
        if (isDone) done.push(next);
      }
      const isPast = fileSystem.count <= first + step;
      await kill(store, fileSystem);
      const again = await openStore(directory);
      const found = (await again.group("g").committed()).get("k")!;
      expect(found, `step ${step}`).toBeGreaterThanOrEqual(done.at(-1)!);
      expect(found, `step ${step}`).toBeLessThanOrEqual(done.at(-1)! + 1);
      await again.close();
      if (isPast) break;
    }
  });

  it("made at the same time share a write and a sync", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, fileSystem);
    await fill(store, "k", 100);
    await store.group("g").commit({ k: 1 });
    fileSystem.forget();
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => store.group(`g${index}`).commit({ k: index })),
    );
    expect(fileSystem.countOf("write", /committed-offsets/)).toBeLessThanOrEqual(2);
    expect(fileSystem.countOf("datasync", /committed-offsets/)).toBeLessThanOrEqual(2);
    expect(await store.groups()).toHaveLength(51);
  });

  it("wait for a sync under always, and do not otherwise", async () => {
    for (const durability of ["always", "interval", "os"] as const) {
      const fileSystem = new FaultyFileSystem();
      const store = await openStore(newPath(), { durability }, fileSystem);
      await fill(store, "k", 10);
      await store.group("g").commit({ k: 1 });
      fileSystem.forget();
      await store.group("g").commit({ k: 2 });
      const syncs = () => fileSystem.countOf("datasync", /committed-offsets/);
      expect(syncs()).toBe(durability === "always" ? 1 : 0);
      await store.flush();
      expect(syncs()).toBe(1);
      await store.group("g").commit({ k: 3 });
      await store.close();
      expect(syncs()).toBe(2);
    }
  });

  it("cost the same few bytes, however many keys there are", async () => {
    const bytesFor = async (keys: number) => {
      const fileSystem = new FaultyFileSystem();
      const directory = temporaryDirectory();
      const options = resolveLogOptions({ durability: "os" });
      const loaded = await loadCheckpoint(fileSystem, directory, STORE_ID);
      const offsets = new CommittedOffsets(fileSystem, directory, STORE_ID, options, loaded);
      const all = Array.from({ length: keys }, (_, key) => committed("g", `key-${key}`, 1));
      await offsets.apply(all, "advance");
      await offsets.apply([committed("g", "key-0", 2)], "advance");
      fileSystem.forget();
      for (let next = 3; next < 103; next++) {
        await offsets.apply([committed("g", "key-0", next)], "advance");
      }
      const writes = fileSystem.matching({ kind: "write" });
      await offsets.close();
      return writes.reduce((sum, { bytes = 0 }) => sum + bytes, 0) / 100;
    };
    const few = await bytesFor(10);
    expect(few).toBeLessThan(64);
    expect(await bytesFor(10_000)).toBe(few);
  });

  it("are folded into a snapshot when the file has grown, so that its length is bounded", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = temporaryDirectory();
    const options = resolveLogOptions({ durability: "os" });
    const loaded = await loadCheckpoint(fileSystem, directory, STORE_ID);
    const offsets = new CommittedOffsets(fileSystem, directory, STORE_ID, options, loaded);
    const path = join(directory, "committed-offsets");
    let longest = 0;
    let written = 0;
    for (let next = 1; next <= 20_000; next++) {
      await offsets.apply([committed("group", `key-${next % 100}`, next)], "advance");
      if (next % 50 === 0) longest = Math.max(longest, statSync(path).size);
    }
    for (const { bytes = 0 } of fileSystem.matching({ kind: "write" })) written += bytes;
    await offsets.close();
    const live = 100 * (1 + 1 + 1 + 6 + 1 + 5 + 16 + 8);
    expect(longest).toBeLessThan(64 * 1024 + 5 * live);
    expect(fileSystem.countOf("rename")).toBeGreaterThan(2);
    expect(written / 20_000).toBeLessThan(64);
    const again = await loadCheckpoint(nodeFileSystem, directory, STORE_ID);
    expect(again.damage).toBeUndefined();
    expect(again.state.get("group")!.size).toBe(100);
    expect(again.state.get("group")!.get("key-0")?.next).toBe(20_000);
  });

  it("stay atomic and in order around a snapshot that dies at any step", async () => {
    const reachSnapshot = async (fileSystem: FaultyFileSystem, directory: string) => {
      const options = resolveLogOptions({});
      const loaded = await loadCheckpoint(nodeFileSystem, directory, STORE_ID);
      const offsets = new CommittedOffsets(fileSystem, directory, STORE_ID, options, loaded);
      const key = "k".repeat(200);
      const many = Array.from({ length: 150 }, (_, each) => committed("g", key + each, 1));
      let done = 0;
      try {
        for (let next = 1; next <= 4; next++) {
          const entries = many.map((entry) => ({ ...entry, next }) as CheckpointEntry);
          await offsets.apply(entries, "advance");
          done = next;
        }
      } catch {
        // It died.
      }
      return done;
    };
    const whole = new FaultyFileSystem();
    expect(await reachSnapshot(whole, temporaryDirectory())).toBe(4);
    expect(whole.countOf("rename")).toBe(2);
    await whole.die();
    for (let step = 0; step < whole.count; step++) {
      const directory = temporaryDirectory();
      const fileSystem = new FaultyFileSystem();
      fileSystem.dieAt(step, 1000);
      const done = await reachSnapshot(fileSystem, directory);
      await fileSystem.die();
      const { state } = await loadCheckpoint(nodeFileSystem, directory, STORE_ID);
      const found = new Set(
        [...(state.get("g")?.values() ?? [{ next: 0 }])].map((each) => each.next),
      );
      expect(found.size, `step ${step}`).toBe(1);
      const [value] = found;
      expect(value, `step ${step}`).toBeGreaterThanOrEqual(done);
      expect(value, `step ${step}`).toBeLessThanOrEqual(done + 1);
    }
  });
});

describe("a checkpoint on a disk that fails", () => {
  it("and is full rejects with NO_SPACE, changes nothing, and takes commits again", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(directory, {}, fileSystem);
    await fill(store, "k", 10);
    const group = store.group("g");
    for (const fault of [{ errno: "ENOSPC" }, { shortBytes: 5, errno: "ENOSPC" }]) {
      fileSystem.fail({ kind: "write", path: /committed-offsets/ }, fault);
      expect(await codeOf(group.commit({ k: 3 }))).toBe("NO_SPACE");
      expect(await group.committed()).toEqual(new Map());
    }
    await group.commit({ k: 4 });
    const before = statSync(join(directory, "committed-offsets")).size;
    fileSystem.fail({ kind: "write", path: /committed-offsets/ }, { shortBytes: 5 });
    fileSystem.fail({ kind: "write", path: /committed-offsets/ }, { errno: "ENOSPC" });
    expect(await codeOf(group.commit({ k: 5 }))).toBe("NO_SPACE");
    expect(statSync(join(directory, "committed-offsets")).size).toBe(before);
    expect(await group.committed()).toEqual(new Map([["k", 4]]));
    await group.commit({ k: 6 });
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect(again.recovery.checkpointDamage).toBeUndefined();
    expect(await again.group("g").committed()).toEqual(new Map([["k", 6]]));
  });

  it.each(["write", "datasync"] as const)(
    "takes no more commits after a %s that failed, and is never synced again",
    async (kind) => {
      const directory = newPath();
      const fileSystem = new FaultyFileSystem();
      const store = await openStore(directory, {}, fileSystem);
      await fill(store, "k", 10);
      const group = store.group("g");
      await group.commit({ k: 2 });
      fileSystem.fail({ kind, path: /committed-offsets/ }, { errno: "EIO" });
      expect(await codeOf(group.commit({ k: 3 }))).toBe("LOG_POISONED");
      fileSystem.forget();
      expect(await codeOf(group.commit({ k: 4 }))).toBe("LOG_POISONED");
      expect(await codeOf(store.flush())).toBe("LOG_POISONED");
      expect(await group.committed()).toEqual(new Map([["k", 2]]));
      expect(await store.append("k", "still")).toBe(10);
      expect(await codeOf(store.close())).toBe("LOG_POISONED");
      expect(fileSystem.countOf(["datasync", "write"], /committed-offsets/)).toBe(0);
      expect(fileSystem.openPaths).toEqual([]);
      const again = await openStore(directory);
      expect((await again.group("g").committed()).get("k")).toBeGreaterThanOrEqual(2);
    },
  );

  it("tells of a snapshot that fails later, and keeps what was committed", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = temporaryDirectory();
    const errors: string[] = [];
    const options = resolveLogOptions({
      durability: "os",
      onError: (error) => errors.push(error.code),
    });
    const loaded = await loadCheckpoint(fileSystem, directory, STORE_ID);
    const offsets = new CommittedOffsets(fileSystem, directory, STORE_ID, options, loaded);
    const key = "k".repeat(200);
    await offsets.apply([committed("g", key, 1)], "advance");
    const fault = fileSystem.fail(
      { kind: "write", path: /\.tmp$/ },
      { errno: "ENOSPC", times: 1000 },
    );
    let next = 1;
    while (errors.length === 0) await offsets.apply([committed("g", key, ++next)], "advance");
    expect(errors[0]).toBe("NO_SPACE");
    await offsets.apply([committed("g", key, ++next)], "advance");
    expect(existsSync(join(directory, "committed-offsets.tmp"))).toBe(false);
    fault.remove();
    await offsets.apply([committed("g", key, ++next)], "advance");
    expect(statSync(join(directory, "committed-offsets")).size).toBeLessThan(1000);
    await offsets.close();
    const again = await loadCheckpoint(nodeFileSystem, directory, STORE_ID);
    expect(again.state.get("g")!.get(key)?.next).toBe(next);
  });

  it("keeps commits within a snapshot when handles run out in the middle of one", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(directory, {}, fileSystem);
    await fill(store, "k", 10);
    const group = store.group("g");
    fileSystem.fail(
      { kind: "open", path: /committed-offsets$/, mode: "update" },
      { errno: "EMFILE" },
    );
    expect(await codeOf(group.commit({ k: 3 }))).toBe("TOO_MANY_OPEN_FILES");
    await group.commit({ k: 4 });
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect(await again.group("g").committed()).toEqual(new Map([["k", 4]]));
  });

  it("goes on in another snapshot when the one that replaced the file cannot be opened", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const errors: string[] = [];
    const onError = (error: { code: string }) => errors.push(error.code);
    const store = await openStore(directory, { onError, durability: "os" }, fileSystem);
    await fill(store, "k", 5000);
    const group = store.group("g".repeat(200));
    let next = 1;
    await group.commit({ k: next });
    fileSystem.fail(
      { kind: "open", path: /committed-offsets$/, mode: "update" },
      { errno: "EMFILE" },
    );
    while (errors.length === 0) await group.commit({ k: ++next });
    expect(errors).toEqual(["TOO_MANY_OPEN_FILES"]);
    await group.commit({ k: ++next });
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect((await again.group(group.name).committed()).get("k")).toBe(next);
  });

  /** Commits until the file is replaced by a snapshot, and the sync of its directory fails. */
  async function failToReplace(errno: string) {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const errors: string[] = [];
    const onError = (error: { code: string }) => errors.push(error.code);
    const store = await openStore(directory, { onError, durability: "os" }, fileSystem);
    await fill(store, "k", 5000);
    const group = store.group("g".repeat(200));
    let next = 1;
    await group.commit({ k: next });
    fileSystem.fail({ kind: "syncDirectory" }, { errno });
    while (errors.length === 0) await group.commit({ k: ++next });
    return { directory, fileSystem, errors, store, group, next };
  }

  it("takes no more commits once it was replaced and its directory fails to sync", async () => {
    const { directory, fileSystem, errors, store, group, next } = await failToReplace("EIO");
    expect(errors).toEqual(["LOG_POISONED"]);
    expect(await codeOf(group.commit({ k: next + 1 }))).toBe("LOG_POISONED");
    expect(fileSystem.openPaths.filter((path) => path.endsWith("committed-offsets"))).toEqual([]);
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect((await again.group(group.name).committed()).get("k")).toBe(next);
  });

  it("takes commits again if there was no handle to sync its directory with", async () => {
    const { directory, fileSystem, errors, store, group, next } = await failToReplace("EMFILE");
    expect(errors).toEqual(["TOO_MANY_OPEN_FILES"]);
    await group.commit({ k: next + 1 });
    expect(errors).toHaveLength(1);
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect((await again.group(group.name).committed()).get("k")).toBe(next + 1);
  });

  it("does not take a flush for done while its name is not known to be durable", async () => {
    const { fileSystem, store } = await failToReplace("EMFILE");
    const lasting = fileSystem.fail({ kind: "syncDirectory" }, { errno: "EMFILE", times: 100 });
    expect(await codeOf(store.flush())).toBe("TOO_MANY_OPEN_FILES");
    lasting.remove();
    fileSystem.forget();
    await store.flush();
    expect(fileSystem.matching({ kind: "syncDirectory" })).toHaveLength(1);
    await store.close();
  });
});
