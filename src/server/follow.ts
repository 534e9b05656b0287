import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe } from "../format/record-codec.js";
import { Turns } from "../log/turns.js";
import type { LogStore } from "../store/log-store.js";
import { fittingRecords } from "../wire/fitting-records.js";
import { MAX_FOLLOWED_KEYS } from "../wire/followed-keys.js";
import {
  type FollowRequest,
  type FollowResponseSchema,
  Start,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { toStoredRecords } from "../wire/stored-records.js";
import { FollowedKey } from "./followed-key.js";
import { readInRoom } from "./response-cost.js";
import type { CallRoom } from "./response-room.js";
import type { ServiceContext } from "./service-context.js";
import { StreamLife } from "./stopping.js";

const STARTS: ReadonlySet<number> = new Set(Object.values(Start));

type Response = MessageInitShape<typeof FollowResponseSchema>;

/** What of a request tells what to follow, and how much of it a response may hold. */
export interface FollowOrder
  extends Pick<FollowRequest, "keys" | "group" | "start" | "acceptPacks"> {
  readonly maxBytes: number;
}

/**
 * Records of several keys as they come, a response for one key at a time, in turns.
 *
 * Nothing is read before it is asked for, and before there is room for it, so a stream whose reader
 * is slow has one response in memory, however many keys it follows.
 */
export async function* follow(
  { store, limits, stopping }: Pick<ServiceContext, "store" | "limits" | "stopping">,
  order: FollowOrder,
  caller: AbortSignal,
  room: CallRoom,
): AsyncGenerator<Response, void, void> {
  checkOrder(order);
  const life = new StreamLife(caller, stopping);
  const { signal } = life;
  const { maxBytes, acceptPacks } = order;
  const readLimits = { maxBytes, maxRecords: limits.maxPollRecords };
  // What a stream has at hand while its reader is slow is the response alone, not the records.
  const respond = async (followed: FollowedKey): Promise<Response | undefined> => {
    const read = async () => {
      const look = await followed.look(readLimits);
      return { ...look, records: fittingRecords(look.records, limits.maxPollBytes) };
    };
    const { records, isMoved, endOffset } = await readInRoom(room, maxBytes, signal, read);
    followed.passed(records);
    if (records.length === 0 && !isMoved) return undefined;
    return { ...toResponse(followed, endOffset), ...toStoredRecords(records, acceptPacks) };
  };
  try {
    const turns = new Turns<FollowedKey>(signal);
    for await (const { followed, endOffset } of begin(store, order)) {
      signal.throwIfAborted();
      yield toResponse(followed, endOffset);
      turns.add(followed);
    }
    for (;;) {
      const followed = await turns.next();
      const response = await respond(followed);
      const goOn = () => turns.add(followed);
      if (response === undefined) {
        // Why it failed is told by the next look.
        followed.changed(signal).then(goOn, goOn);
      } else {
        yield response;
        goOn();
      }
    }
  } finally {
    life.end();
  }
}

function checkOrder({ keys, start, maxBytes }: FollowOrder): void {
  if (keys.length === 0) throw new RangeError("Say which keys to follow: at least one");
  if (keys.length > MAX_FOLLOWED_KEYS) {
    throw new RangeError(
      `A stream follows at most ${MAX_FOLLOWED_KEYS} keys, not ${keys.length}: follow them by ` +
        "several calls",
    );
  }
  const seen = new Set<string>();
  for (const { key } of keys) {
    if (seen.has(key)) throw new RangeError(`The key ${describe(key)} is to be followed twice`);
    seen.add(key);
  }
  if (!STARTS.has(start)) throw new RangeError(`Start ${start} is not known here`);
  if (maxBytes === 0) throw new RangeError("max_bytes must be at least 1");
}

async function* begin(store: LogStore, { keys, group, start }: FollowOrder) {
  const undecided = keys.filter(({ offset }) => offset === undefined).map(({ key }) => key);
  const committed =
    group === undefined || undecided.length === 0
      ? new Map<string, number>()
      : await store.group(group).committed(undecided);
  for (const { key, offset, generation } of keys) {
    const followed = new FollowedKey(store, key, start);
    const from = offset === undefined ? committed.get(key) : toSafeInteger(offset, "offset");
    yield { followed, endOffset: await followed.begin(from, generation) };
  }
}

function toResponse({ key, nextOffset, generation }: FollowedKey, endOffset: number): Response {
  return { key, nextOffset: BigInt(nextOffset), endOffset: BigInt(endOffset), generation };
}
