import type { ServiceImpl } from "@connectrpc/connect";
import { fittingRecords } from "../wire/fitting-records.js";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { toStoredRecords } from "../wire/stored-records.js";
import { follow } from "./follow.js";
import { assertMay } from "./permission.js";
import { readInRoom } from "./response-cost.js";
import { RESPONSE_ROOM } from "./response-room.js";
import type { ServiceContext } from "./service-context.js";

const DEFAULT_RECORDS = 500;
const DEFAULT_BYTES = 1024 * 1024;

/** The calls that read records. */
export function readCalls(
  context: ServiceContext,
): Pick<ServiceImpl<typeof LogService>, "read" | "follow"> {
  const { store, limits } = context;
  return {
    async read({ key, offset, maxRecords, maxBytes, acceptPacks }, call) {
      assertMay(call, "read", key);
      const from = toSafeInteger(offset, "offset");
      const readLimits = {
        maxRecords: Math.min(maxRecords ?? DEFAULT_RECORDS, limits.maxPollRecords),
        maxBytes: Math.min(maxBytes ?? DEFAULT_BYTES, limits.maxPollBytes),
      };
      const room = call.values.get(RESPONSE_ROOM);
      const read = async () => {
        const found = await store.read(key, from, readLimits);
        const records = fittingRecords(found.records, limits.maxPollBytes);
        return { records, endOffset: found.endOffset };
      };
      const { records, endOffset } = await readInRoom(room, readLimits.maxBytes, call.signal, read);
      const last = records[records.length - 1];
      return {
        ...toStoredRecords(records, acceptPacks),
        nextOffset: BigInt(last === undefined ? from : last.offset + 1),
        endOffset: BigInt(endOffset),
      };
    },

    follow(request, call) {
      for (const { key } of request.keys) assertMay(call, "read", key);
      const maxBytes = Math.min(request.maxBytes ?? DEFAULT_BYTES, limits.maxPollBytes);
      const room = call.values.get(RESPONSE_ROOM);
      return follow(context, { ...request, maxBytes }, call.signal, room);
    },
  };
}
