// Writes fixtures/golden/v0/: directories as this version of seglog leaves them, and what a reader
// must find in them. Run by hand, as fixtures/golden/README.md says; never by a test. With names of
// directories it writes only those.
//
// The clock and all random ids are fixed, so that a second run writes the same bytes again.

import crypto from "node:crypto";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { createEnvironment, type LogEnvironment } from "../../src/log/environment.js";
import { writeCleanLog } from "./clean-log.js";
import { writeCraftedLog } from "./crafted-log.js";
import { describeLog, describeStore } from "./describe.js";
import { writeJournaledStore } from "./journaled-store.js";
import { writeKilledLog } from "./killed-log.js";
import { writeProducersStore } from "./producers-store.js";
import { writeRoomLog } from "./room-log.js";
import { writeStore } from "./store.js";
import { writeTruncatingStore } from "./truncating-store.js";

/** 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;
const GOLDEN = "fixtures/golden/v0";

await main();

async function main(): Promise<void> {
  await make("clean-log", "log", writeCleanLog, describeLog);
  await make("killed-log", "log", writeKilledLog, describeLog);
  await make("crafted-log", "log", async (_, directory) => writeCraftedLog(directory), describeLog);
  await make("store", "store", writeStore, describeStore);
  await make("journaled-store", "store", writeJournaledStore, describeStore);
  await make("room-log", "log", writeRoomLog, describeLog);
  await make("producers-store", "store", writeProducersStore, describeStore);
  await make("truncating-store", "store", writeTruncatingStore, describeStore);
}

/** Writes one golden directory, and what the library reads from it. */
async function make(
  name: string,
  kind: "log" | "store",
  write: (environment: LogEnvironment, directory: string) => Promise<void>,
  describe: (directory: string) => Promise<unknown>,
): Promise<void> {
  const wanted = process.argv.slice(2);
  if (wanted.length > 0 && !wanted.includes(name)) return;
  fixRandomness(name);
  const home = join(GOLDEN, name);
  rmSync(home, { recursive: true, force: true });
  const work = join(".build", "golden", name);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  mkdirSync(home, { recursive: true });
  await write(fixedEnvironment(), work);
  cpSync(work, join(home, kind), { recursive: true });
  const expected = await describe(join(home, kind));
  writeFileSync(join(home, "expected.json"), `${JSON.stringify(expected, undefined, 1)}\n`);
  console.log(`wrote ${home}`);
}

/** A machine whose clock goes one millisecond a look, and whose boot id is always the same. */
function fixedEnvironment(): LogEnvironment {
  let now = EPOCH_MS;
  const fileSystem = {
    ...nodeFileSystem,
    bootId: () => Promise.resolve(new Uint8Array(16).fill(0xb0)),
  };
  return createEnvironment(fileSystem, undefined, () => now++);
}

/** Ids, and the process id that stands in LOCK, come out the same every time. */
function fixRandomness(name: string): void {
  let count = 0;
  const fixed = (length: number): Buffer => {
    count++;
    return crypto
      .createHash("sha256")
      .update(`golden ${name} ${count}`)
      .digest()
      .subarray(0, length);
  };
  Object.assign(crypto, { randomBytes: fixed });
  syncBuiltinESMExports();
  Object.defineProperty(process, "pid", { value: 4242, configurable: true });
}
