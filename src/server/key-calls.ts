import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";
import type { CommitLog } from "../log/commit-log.js";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { ACCESS, type Right } from "./access.js";
import { keyPage } from "./key-page.js";
import { assertMay } from "./permission.js";
import { bytesOfNames } from "./response-cost.js";
import { RESPONSE_ROOM } from "./response-room.js";
import type { ServiceContext } from "./service-context.js";

const DEFAULT_PAGE_SIZE = 1000;

/** The calls about keys and their logs, none of which makes a key. */
export function keyCalls({
  store,
  limits,
}: ServiceContext): Pick<
  ServiceImpl<typeof LogService>,
  "listKeys" | "metadata" | "offsetForTimestamp" | "deleteBefore" | "flush"
> {
  const logOf = async (key: string, right: Right, call: HandlerContext): Promise<CommitLog> => {
    assertMay(call, right, key);
    const log = await store.existing(key);
    if (log !== undefined) return log;
    throw new SeglogError("KEY_NOT_FOUND", `There is no key ${describe(key)}.`);
  };
  return {
    async listKeys({ prefix, pageSize, pageToken }, call) {
      const size = Math.min(pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize, limits.maxPageKeys);
      const room = call.values.get(RESPONSE_ROOM);
      await room.take(bytesOfNames(Math.min(size, store.keyCount)), call.signal);
      const access = call.values.get(ACCESS);
      // What the caller may not do anything with is not looked at either.
      const within = access.prefix.startsWith(prefix) ? access.prefix : prefix;
      const page = access.may("read", within)
        ? keyPage(store, { prefix: within, pageToken, size })
        : { keys: [], nextPageToken: "" };
      room.settle(bytesOfNames(page.keys.length));
      return page;
    },

    async metadata({ key }, call) {
      const log = await logOf(key, "read", call);
      await call.values.get(RESPONSE_ROOM).take(bytesOfNames(log.segmentCount), call.signal);
      const segments = log.segments().map(({ baseOffset, endOffset, bytes }) => ({
        baseOffset: BigInt(baseOffset),
        endOffset: BigInt(endOffset),
        sizeBytes: BigInt(bytes),
      }));
      return {
        startOffset: BigInt(log.startOffset),
        endOffset: BigInt(log.endOffset),
        epoch: BigInt(log.epoch),
        sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n),
        segments,
      };
    },

    async offsetForTimestamp({ key, timestampMs }, call) {
      const log = await logOf(key, "read", call);
      const offset = await log.offsetForTimestamp(toSafeInteger(timestampMs, "timestamp_ms"));
      return { offset: BigInt(offset) };
    },

    async deleteBefore({ key, offset }, call) {
      const log = await logOf(key, "admin", call);
      await log.deleteBefore(toSafeInteger(offset, "offset"));
      return { startOffset: BigInt(log.startOffset) };
    },

    async flush({ key }, call) {
      await (await logOf(key, "append", call)).flush();
      return {};
    },
  };
}
