import { setMaxListeners } from "node:events";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { toFailure } from "../wire/failure.js";
import {
  type AppendRequest,
  Durability,
  type LogService,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { checkAppendRequest, producerOf, recordsOf } from "./append-request.js";
import { inOrder } from "./in-order.js";
import { assertMay } from "./permission.js";
import type { ServiceContext } from "./service-context.js";
import { SharedFlush } from "./shared-flush.js";

/** What one stream may have on its way: enough to keep the disk busy, little for many streams. */
const MAX_STREAM_BYTES = 8 * 1024 * 1024;
/** What a request takes beside its records, so that empty ones are bounded, too. */
const REQUEST_BYTES = 1024;

/** The calls that append. */
export function appendCalls(
  context: ServiceContext,
): Pick<ServiceImpl<typeof LogService>, "append" | "appendStream"> {
  const { store, appendBudget, onAppended, onBatchFailed, stopping } = context;
  const { maxMessageBytes } = context.limits;
  const flushes = new SharedFlush();

  const append = async (request: AppendRequest, call: HandlerContext) => {
    const { key, durability } = request;
    assertMay(call, "append", key);
    const bytes = checkAppendRequest(request, maxMessageBytes);
    const giveBack = await appendBudget.take(bytes, call.signal);
    try {
      const records = recordsOf(request, maxMessageBytes);
      const options = { signal: call.signal, producer: producerOf(request) };
      const { baseOffset, lastOffset } = await store.appendBatch(key, records, options);
      const isSynced = durability === Durability.UNSPECIFIED || store.durability === "always";
      const log = isSynced ? undefined : await store.existing(key);
      // A key that is gone by now needs no sync.
      if (log !== undefined) await flushes.flush(log);
      onAppended(records.length, bytes);
      return { baseOffset: BigInt(baseOffset), lastOffset: BigInt(lastOffset) };
    } finally {
      giveBack();
    }
  };

  const answer = async (request: AppendRequest, call: HandlerContext) => {
    try {
      return { result: { case: "appended" as const, value: await append(request, call) } };
    } catch (error) {
      onBatchFailed(error);
      return { result: { case: "failure" as const, value: toFailure(error) } };
    }
  };

  return {
    append,
    appendStream(requests, call) {
      // Every request that waits for room listens.
      setMaxListeners(0, call.signal);
      const begin = (request: AppendRequest) => answer(request, call);
      return inOrder(requests, { begin, bytesOf, maxBytes: MAX_STREAM_BYTES, stopping });
    },
  };
}

function bytesOf({ pack, records }: AppendRequest): number {
  const bytes = REQUEST_BYTES + (pack?.values.length ?? 0);
  return records.reduce((sum, { value }) => sum + value.length, bytes);
}
