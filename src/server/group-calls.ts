import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { ACCESS } from "./access.js";
import { isCurrent, takenBack } from "./generation.js";
import { assertMay } from "./permission.js";
import { bytesOfNames } from "./response-cost.js";
import { RESPONSE_ROOM } from "./response-room.js";
import type { ServiceContext } from "./service-context.js";

/** The calls for what consumer groups have committed. */
export function groupCalls({
  store,
}: ServiceContext): Pick<
  ServiceImpl<typeof LogService>,
  "commit" | "seek" | "committed" | "listGroups"
> {
  /** A group belongs to nobody; what bounds a caller is the keys. */
  const offsetsFor = (offsets: Readonly<Record<string, bigint>>, call: HandlerContext) => {
    const entries = Object.entries(offsets);
    for (const [key] of entries) assertMay(call, "read", key);
    return entries.map(([key, next]) => [key, toSafeInteger(next, "offset")] as const);
  };
  return {
    async commit({ group, offsets, generations }, call) {
      const next = offsetsFor(offsets, call);
      for (const [key, generation] of Object.entries(generations)) {
        assertMay(call, "read", key);
        if (!isCurrent(generation, await store.existing(key))) throw takenBack(key);
      }
      await store.group(group).commit(next);
      return {};
    },

    async seek({ group, offsets }, call) {
      await store.group(group).seek(offsetsFor(offsets, call));
      return {};
    },

    async committed({ group, keys }, call) {
      const access = call.values.get(ACCESS);
      const room = call.values.get(RESPONSE_ROOM);
      const most = keys.length === 0 ? store.keyCount : keys.length;
      await room.take(bytesOfNames(most), call.signal);
      const asked = keys.filter((key) => access.may("read", key));
      const found = await store.group(group).committed(keys.length === 0 ? undefined : asked);
      const offsets = [...found]
        .filter(([key]) => access.may("read", key))
        .map(([key, next]) => [key, BigInt(next)] as const);
      room.settle(bytesOfNames(offsets.length));
      return { offsets: Object.fromEntries(offsets) };
    },

    async listGroups(_, call) {
      // Groups are of the whole store, so only who may read all of it sees them.
      assertMay(call, "read", "");
      return { groups: (await store.groups()).sort() };
    },
  };
}
