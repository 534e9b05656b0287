import { decodeCheckpointHeader, decodeFrame } from "../../src/format/checkpoint-frame.js";
import { applyEntries, type CommittedState } from "../../src/store/checkpoint-file.js";
import { kindOf } from "./layout.js";
import { type Damage, placeOf } from "./outcomes.js";
import type { Moment } from "./sample.js";

/** What must become of a store one of whose own files is damaged. */
export interface StoreOutcome {
  readonly opens: boolean;
  /** By group, then by key. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly verify: "damage" | "warning" | "nothing";
}

export function outcomeOfStore(moment: Moment, path: string, damage: Damage): StoreOutcome {
  const fine: StoreOutcome = { opens: true, committed: moment.committed, verify: "nothing" };
  switch (kindOf(path)) {
    case "store.meta":
      return { ...fine, opens: false, verify: "damage" };
    case "checkpoint":
      return outcomeOfCheckpoint(moment.image.get(path)!, damage);
    default:
      return fine;
  }
}

/** The frames before the damage count, as they did before the others were written. */
function outcomeOfCheckpoint(bytes: Uint8Array, damage: Damage): StoreOutcome {
  const header = decodeCheckpointHeader(bytes);
  if ("kind" in header) throw new Error(header.reason);
  const place = placeOf(damage);
  const state: CommittedState = new Map();
  let position = header.headerLength;
  if (place < position) return { opens: true, committed: new Map(), verify: "damage" };
  for (let previous = header.checksum; ; ) {
    const frame = decodeFrame(bytes, position, previous);
    if (frame === undefined || typeof frame === "string" || "kind" in frame) break;
    if (place < position + frame.length) break;
    applyEntries(state, new Map(), frame.entries);
    position += frame.length;
    previous = frame.checksum;
  }
  const committed = [...state].map(([group, keys]) => {
    const offsets = [...keys].map(([key, { next }]) => [key, next] as const);
    return [group, new Map(offsets)] as const;
  });
  // A frame that claims to be longer than the file looks like one that a crash tore.
  const isTorn = damage.kind === "flip" && reachesBeyond(bytes, position, damage);
  if (isTorn) return { opens: true, committed: new Map(committed), verify: "warning" };
  const told = damage.kind === "flip" ? "damage" : place === position ? "nothing" : "warning";
  return { opens: true, committed: new Map(committed), verify: told };
}

/** Whether a turned bit makes the frame at `position` longer than the file. */
function reachesBeyond(
  bytes: Uint8Array,
  position: number,
  damage: Damage & { readonly kind: "flip" },
): boolean {
  const copy = Buffer.from(bytes);
  copy[damage.position]! ^= 1 << damage.bit;
  return position + 12 + copy.readUInt32LE(position + 4) > copy.length;
}
