import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { OffsetOutOfRangeError } from "../errors.js";
import { toConnectError } from "../wire/failure.js";
import type { BatchRecords, ComLogRpc } from "../wire/generated/api/comlog_pb.js";
import { MAX_BATCH_RECORDS } from "../wire/pack.js";
import { assertMay } from "./permission.js";
import { readInRoom } from "./response-cost.js";
import { RESPONSE_ROOM } from "./response-room.js";
import type { ServiceContext } from "./service-context.js";

/** ComLog stores a record behind its length in 8 bytes, and counts those. */
const LENGTH_BYTES = 8;
/** What asks for the newest record. */
const NEWEST = -1n;

interface Stored {
  readonly offset: bigint;
  readonly nbrOfStoredBytes: bigint;
}

/**
 * ComLog's own service, `api/comlog.proto`, on one key of the store.
 *
 * @param key - It is made by the first append; until then it is an empty log.
 */
export function comlogService(
  { store, appendBudget, onAppended, onBatchFailed }: ServiceContext,
  key: string,
): ServiceImpl<typeof ComLogRpc> {
  /** @returns What became of each record, in the order of the batch. */
  const append = async (values: Uint8Array[], call: HandlerContext): Promise<Stored[]> => {
    if (values.length === 0) return [];
    if (values.length > MAX_BATCH_RECORDS) {
      throw new RangeError(
        `A batch has at most ${MAX_BATCH_RECORDS} records, not ${values.length}: split it`,
      );
    }
    const bytes = values.reduce((sum, { length }) => sum + length, 0);
    const giveBack = await appendBudget.take(bytes, call.signal);
    try {
      const batch = await store.appendBatch(key, values, { signal: call.signal });
      onAppended(values.length, bytes);
      return values.map(({ length }, index) => ({
        offset: BigInt(batch.offsetAt(index)),
        nbrOfStoredBytes: BigInt(length + LENGTH_BYTES),
      }));
    } finally {
      giveBack();
    }
  };
  const valuesOf = ({ batch }: BatchRecords) => batch.map(({ data }) => data);

  return {
    async append({ data }, call) {
      assertMay(call, "append", key);
      const [stored] = await append([data], call);
      return stored!;
    },

    async batchAppend(records, call) {
      assertMay(call, "append", key);
      const stored = await append(valuesOf(records), call);
      return { response: stored.map((resp, index) => ({ resp, index: BigInt(index) })) };
    },

    async *streamBatchAppend(records, call) {
      assertMay(call, "append", key);
      const values = valuesOf(records);
      try {
        const stored = await append(values, call);
        yield* stored.map((resp, index) => ({ resp, index: BigInt(index) }));
      } catch (error) {
        onBatchFailed(error);
        // A client looks for it at each record.
        const errorMsg = toConnectError(error).rawMessage;
        yield* values.map((_, index) => ({ index: BigInt(index), errorMsg }));
      }
    },

    async read({ value }, call) {
      assertMay(call, "read", key);
      const log = await store.existing(key);
      const { startOffset, endOffset } = log ?? { startOffset: 0, endOffset: 0 };
      const offset = value === NEWEST ? endOffset - 1 : Number(value);
      if (log === undefined || offset < startOffset || offset >= endOffset) {
        throw new OffsetOutOfRangeError(offset, startOffset, endOffset);
      }
      const room = call.values.get(RESPONSE_ROOM);
      const read = async () => ({ records: [await log.read(offset)] });
      const { records } = await readInRoom(room, 0, call.signal, read);
      const record = records[0]!.value;
      return { record, nbrOfReadBytes: BigInt(record.length + LENGTH_BYTES) };
    },

    async flush(_, call) {
      assertMay(call, "append", key);
      await (await store.existing(key))?.flush();
      return {};
    },

    async getMetaData(_, call) {
      assertMay(call, "read", key);
      const log = await store.existing(key);
      const segments = log?.segments() ?? [];
      return {
        segmentsSize: segments.reduce((sum, { bytes }) => sum + BigInt(bytes), 0n),
        oldestOffset: BigInt(log?.startOffset ?? 0),
        lastOffset: BigInt(Math.max(0, (log?.endOffset ?? 0) - 1)),
      };
    },

    async collectSegments({ value }, call) {
      assertMay(call, "admin", key);
      const log = await store.existing(key);
      // The start stays at the beginning of a segment, as ComLog's does; the last segment stays.
      const isCollected = ({ endOffset }: { readonly endOffset: number }) => value >= endOffset;
      const last = log?.segments().slice(0, -1).findLast(isCollected);
      if (last !== undefined) await log!.deleteBefore(last.endOffset);
      return {};
    },
  };
}
