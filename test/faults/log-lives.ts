import type { OpenLogOptions } from "../../src/log/commit-log.js";
import type { Pattern } from "../support/faulty-file-system.js";
import { MemoryDisk } from "../support/memory-disk.js";
import type { Life, PlannedLife } from "./every-life.js";
import { LogActor } from "./log-actor.js";
import { World } from "./world.js";

const DIRECTORY = "/data/log";
export const FLUSH_MS = 1000;

type Script = (actor: LogActor, world: World) => Promise<void>;

/** A life of a log that begins where `before` has left it. */
async function prepare(options: OpenLogOptions, before: Script, script: Script): Promise<Life> {
  const prepared = new World();
  const first = new LogActor(prepared, DIRECTORY, options);
  await before(first, prepared);
  prepared.release();
  const image = prepared.disk.capture();
  const actors = new WeakMap<World, LogActor>();
  return {
    begin() {
      const world = new World(MemoryDisk.from(image, (state) => state));
      world.system.machine = prepared.system.machine;
      actors.set(world, first.in(world));
      return world;
    },
    async run(world) {
      const actor = actors.get(world)!;
      await script(actor, world);
      world.spaceReturns();
      await goOn(actor, world);
    },
  };
}

/** Without being opened again the log goes on, unless it was given up; then it is looked at. */
async function goOn(actor: LogActor, world: World): Promise<void> {
  if (!actor.isOpen) await actor.open();
  await actor.append();
  await actor.append(2, 60);
  await actor.read();
  await actor.checkOn(world.afterPowerCut(), "power");
  await actor.close();
  world.heal();
  await actor.open();
  await actor.append();
  await actor.close();
  await actor.verify();
}

const nothing: Script = async () => undefined;

/** Several segments, closed properly. */
const filled: Script = async (actor) => {
  await actor.open();
  await actor.append();
  await actor.append(3, 150);
  await actor.append(2, 150);
  await actor.append(2, 30);
  await actor.close();
};

/** As {@link filled}, and then the process is killed. */
const killed: Script = async (actor, world) => {
  await filled(actor, world);
  await actor.open();
  await actor.append(2);
  await world.system.die();
};

/** The process dies at an operation of a script, of which some bytes may still reach the disk. */
function dyingAt(pattern: Pattern, tornBytes: number, script: Script): Script {
  return async (actor, world) => {
    await filled(actor, world);
    await actor.open();
    world.system.dieAtNext(pattern, tornBytes);
    await script(actor, world).catch(() => undefined);
    if (!world.system.isDead) throw new Error("the script does nothing like that");
    await world.system.die();
  };
}

/** All lives of a log under some options. */
export function logLives(options: OpenLogOptions): PlannedLife[] {
  const make = (name: string, before: Script, script: Script, more: OpenLogOptions = {}) => ({
    name,
    prepare: () => prepare({ ...options, ...more }, before, script),
  });
  const open = async (actor: LogActor) => {
    await actor.open();
    await actor.append();
  };
  const dying = (pattern: Pattern, tornBytes: number, script: Script) =>
    dyingAt(pattern, tornBytes, script);
  return [
    make("makes a log", nothing, async (actor) => {
      await open(actor);
      await actor.follow();
    }),
    make("appends", filled, async (actor) => {
      await actor.open();
      await Promise.all([
        actor.append(),
        actor.append(3, 150),
        actor.append(1, 40),
        actor.append(2),
        actor.flush(),
      ]);
      await actor.append(1, 400);
      await actor.flush();
    }),
    make("reads", filled, async (actor) => {
      await actor.open();
      await actor.look();
      await actor.append();
      await actor.follow();
      await actor.read();
    }),
    make("truncates", filled, async (actor) => {
      await actor.open();
      await actor.dropLast(6);
      await actor.append();
    }),
    make("truncates what it has just written", filled, async (actor) => {
      await open(actor);
      await actor.append(3, 100);
      await actor.dropLast(2);
      await actor.follow();
    }),
    make("deletes", filled, async (actor) => {
      await actor.open();
      await actor.dropFirst(6);
      await actor.append();
    }),
    make("closes", filled, async (actor) => {
      await open(actor);
      await actor.close();
      await open(actor);
      await actor.close();
    }),
    make("waits", filled, async (actor, world) => {
      await open(actor);
      await world.pass(FLUSH_MS);
      await actor.read();
    }),
    make(
      "retains",
      filled,
      async (actor, world) => {
        await open(actor);
        await world.pass(10 * FLUSH_MS);
        await actor.append(1, 100);
        await world.pass(10 * FLUSH_MS);
      },
      { retention: { bytes: 700, ms: 15 * FLUSH_MS }, segmentMs: 9 * FLUSH_MS },
    ),
    make("recovers", killed, open),
    make(
      "recovers after a torn write",
      dying({ kind: "write", path: /\.log$/ }, 50, (actor) => actor.append()),
      open,
    ),
    make(
      "finishes a truncation",
      dying({ kind: "unlink", path: /\.log$/ }, 0, async (actor) => actor.dropLast(6)),
      open,
    ),
    make(
      "finishes a truncation that was about to begin a segment",
      dying({ kind: "rename", path: /\.log$/ }, 0, async (actor) => actor.dropLast(6)),
      open,
    ),
    make(
      "finishes a deletion",
      dying({ kind: "unlink", path: /\.log$/ }, 0, async (actor) => actor.dropFirst(6)),
      open,
    ),
  ];
}
