import type { ServiceImpl } from "@connectrpc/connect";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { toStoredRecords } from "../wire/stored-records.js";
import { follow } from "./follow.js";
import { assertMay } from "./permission.js";
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
      const found = await store.read(key, toSafeInteger(offset, "offset"), {
        maxRecords: Math.min(maxRecords ?? DEFAULT_RECORDS, limits.maxPollRecords),
        maxBytes: Math.min(maxBytes ?? DEFAULT_BYTES, limits.maxPollBytes),
      });
      return {
        ...toStoredRecords(found.records, acceptPacks),
        nextOffset: BigInt(found.nextOffset),
        endOffset: BigInt(found.endOffset),
      };
    },

    follow(request, call) {
      for (const { key } of request.keys) assertMay(call, "read", key);
      const maxBytes = Math.min(request.maxBytes ?? DEFAULT_BYTES, limits.maxPollBytes);
      return follow(context, { ...request, maxBytes }, call.signal);
    },
  };
}
