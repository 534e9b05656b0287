import { SeglogError } from "../errors.js";
import type { LogRecord } from "../format/record.js";
import { pause } from "../log/directory/polling.js";
import type { FollowResponse, Start } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { fromConnectError } from "../wire/remote-error.js";
import { fromStoredRecords } from "../wire/stored-records.js";
import { backoffMs } from "./backoff.js";
import type { Connection } from "./connection.js";
import { isTransient } from "./failures.js";

/** Records of one key that came together. */
export interface FeedPiece {
  readonly key: string;
  /** In the order of their offsets. None tells where the key stands. */
  readonly records: readonly LogRecord[];
  /** From where to read on behind them. */
  readonly nextOffset: number;
  /** See `FollowResponse`. */
  readonly generation: Uint8Array;
}

/** What to follow. */
export interface FeedOptions {
  /** The next offset of each key; `undefined` where the server decides. Kept up to date. */
  readonly places: Map<string, number | undefined>;
  /** Where to begin without an offset: where this group has committed. */
  readonly group: string | undefined;
  /** Where to begin without any, and where retention has overtaken it. */
  readonly start: Start;
  /** Told of each connection that broke, or could not be made. */
  readonly onOutage: (error: Error) => void;
}

/**
 * Records of several keys as they come. When the connection breaks it is made again, for as long as
 * it takes, and goes on where it was, without gaps or repetitions. If that cannot be, for the server
 * has lost records that it had given, it says so: `LOG_TRUNCATED`.
 *
 * It takes nothing from the connection before it is asked to.
 *
 * @throws SeglogError that another attempt would not mend; the signal's reason.
 */
export async function* feed(
  connection: Connection,
  options: FeedOptions,
  caller: AbortSignal | undefined,
): AsyncGenerator<FeedPiece, void, void> {
  const { closing } = connection;
  const signal = caller === undefined ? closing : AbortSignal.any([closing, caller]);
  const generations = new Map<string, Uint8Array>();
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      const request = requestOf(options, generations);
      for await (const response of connection.calls.follow(request, { signal })) {
        failures = 0;
        generations.set(response.key, response.generation);
        const piece = pieceOf(response);
        options.places.set(piece.key, piece.nextOffset);
        yield piece;
      }
      options.onOutage(new SeglogError("UNAVAILABLE", "The server ended the stream of records."));
    } catch (thrown) {
      signal.throwIfAborted();
      const error = fromConnectError(thrown);
      if (!isTransient(error)) throw error;
      options.onOutage(error);
    }
    await pause(backoffMs(failures + 1), signal);
  }
}

function requestOf(
  { places, group, start }: FeedOptions,
  generations: ReadonlyMap<string, Uint8Array>,
) {
  const keys = [...places].map(([key, offset]) => {
    if (offset === undefined) return { key };
    const generation = generations.get(key);
    return { key, offset: BigInt(offset), ...(generation !== undefined && { generation }) };
  });
  return { keys, start, acceptPacks: true, ...(group !== undefined && { group }) };
}

function pieceOf(response: FollowResponse): FeedPiece {
  return {
    key: response.key,
    records: fromStoredRecords(response),
    nextOffset: toSafeInteger(response.nextOffset, "next_offset"),
    generation: response.generation,
  };
}
