import type { StoreOptions } from "../../src/store/log-store.js";
import type { Pattern } from "../support/faulty-file-system.js";
import { MemoryDisk } from "../support/memory-disk.js";
import type { Life, PlannedLife } from "./every-life.js";
import { StoreActor } from "./store-actor.js";
import { World } from "./world.js";

const DIRECTORY = "/data/store";
export const FLUSH_MS = 1000;

type Script = (actor: StoreActor, world: World) => Promise<void>;

/** A life of a store that begins where `before` has left it. */
async function prepare(options: StoreOptions, before: Script, script: Script): Promise<Life> {
  const prepared = new World();
  const first = new StoreActor(prepared, DIRECTORY, options);
  await before(first, prepared);
  prepared.release();
  const image = prepared.disk.capture();
  const actors = new WeakMap<World, StoreActor>();
  return {
    begin() {
      const world = new World(MemoryDisk.from(image, (state) => state));
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

/** Without being opened again the store goes on, but for what was given up. */
async function goOn(actor: StoreActor, world: World): Promise<void> {
  if (!actor.isOpen) await actor.open();
  for (const key of ["a", "b"]) {
    await actor.append(key);
    await actor.commit("g", key, 1);
  }
  await actor.checkCommitted();
  await actor.checkOn(world.afterPowerCut(), "power");
  await actor.close();
  world.heal();
  await actor.open();
  await actor.append("a");
  await actor.close();
}

const nothing: Script = async () => undefined;

/** Two keys, one of several segments, and what two groups have committed; closed properly. */
const filled: Script = async (actor) => {
  await actor.open();
  await actor.append("a", 2);
  await actor.append("a", 3, 150);
  await actor.append("a", 2);
  await actor.append("b", 3);
  await actor.commit("g", "a", 3);
  await actor.commit("g", "b", 1);
  await actor.commit("h", "a", 5);
  await actor.close();
};

/** As {@link filled}, and then the process is killed while it goes on. */
const killed: Script = async (actor, world) => {
  await filled(actor, world);
  await actor.open();
  await actor.append("a", 2);
  await actor.append("b");
  await actor.commit("g", "a", 9);
  await world.system.die();
  actor.died();
};

/** The process dies at an operation of a script. */
function dyingAt(pattern: Pattern, script: Script): Script {
  return async (actor, world) => {
    await filled(actor, world);
    await actor.open();
    world.system.dieAtNext(pattern);
    await script(actor, world).catch(() => undefined);
    if (!world.system.isDead) throw new Error("the script does nothing like that");
    await world.system.die();
    actor.died();
  };
}

/** One more than there are handles. */
const MANY_KEYS = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

const manyKeys: Script = async (actor) => {
  await actor.open();
  for (const key of MANY_KEYS) await actor.append(key);
  await actor.close();
};

/** Frames of half a KiB each: a little more than a hundred make a checkpoint that is rewritten. */
const LONG = "g".repeat(250);
const MANY_FRAMES = 130;

const rewrite: Script = async (actor) => {
  await actor.open();
  const seeks = Array.from({ length: MANY_FRAMES * 2 - 30 }, (_, at) =>
    actor.commit(LONG, "a", at % 2, "seek"),
  );
  await Promise.all(seeks);
};

/** All lives of a store under some options. */
export function storeLives(options: StoreOptions): PlannedLife[] {
  const make = (name: string, before: Script, script: Script) => ({
    name,
    prepare: () => prepare(options, before, script),
  });
  const use: Script = async (actor) => {
    await actor.open();
    await actor.append("a");
    await actor.commit("g", "a", 1);
  };
  return [
    make("is made", nothing, use),
    make("takes appends and commits", filled, async (actor) => {
      await actor.open();
      await Promise.all([actor.append("a"), actor.append("b", 2, 200), actor.append("c")]);
      await Promise.all([actor.commit("g", "a", 7), actor.commit("h", "b", 2)]);
      await actor.commit("g", "a", 2, "seek");
      await actor.read("a");
      await actor.flush();
    }),
    make("truncates a log past what is committed", filled, async (actor) => {
      await actor.open();
      await actor.dropLast("a", 4);
      await actor.append("a", 2);
      await actor.checkCommitted();
    }),
    make("deletes a key and makes it again", filled, async (actor) => {
      await actor.open();
      await actor.append("b");
      await actor.deleteKey("b");
      await actor.append("b");
      await actor.commit("g", "b", 1);
    }),
    make("closes", filled, async (actor, world) => {
      await use(actor, world);
      await actor.close();
      await use(actor, world);
      await actor.close();
    }),
    make("waits", filled, async (actor, world) => {
      await use(actor, world);
      await world.pass(FLUSH_MS);
      await actor.checkCommitted();
    }),
    make("has more keys than handles", manyKeys, async (actor) => {
      await actor.open();
      await Promise.all(MANY_KEYS.map((key) => actor.append(key)));
    }),
    make("recovers", killed, use),
    make(
      "finishes a deletion",
      dyingAt({ kind: "removeTree", path: /\.deleted-b$/ }, (actor) => actor.deleteKey("b")),
      use,
    ),
    make("rewrites its committed offsets", filled, rewrite),
  ];
}
