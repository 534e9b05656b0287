import { Turns } from "../log/turns.js";
import { MAX_FOLLOWED_KEYS } from "../wire/followed-keys.js";
import type { Connection } from "./connection.js";
import { type FeedOptions, type FeedPiece, feed } from "./feed.js";

type Places = FeedOptions["places"];

/** The next piece of a stream, when it is there, or why there is none. */
interface Arrival {
  readonly stream: AsyncGenerator<FeedPiece, void, void>;
  readonly piece: Promise<IteratorResult<FeedPiece, void>>;
}

/**
 * As {@link feed}, for any number of keys: by as many streams as that takes, whose pieces come in the
 * order in which they arrive. Of each stream one piece is fetched ahead. The failure of one ends all.
 */
export async function* feeds(
  connection: Connection,
  options: FeedOptions,
  caller: AbortSignal,
): AsyncGenerator<FeedPiece, void, void> {
  const end = new AbortController();
  const signal = AbortSignal.any([caller, end.signal]);
  const arrivals = new Turns<Arrival>(signal);
  const streams = partsOf(options.places).map((places) =>
    feed(connection, { ...options, places }, signal),
  );
  const fetch = (stream: Arrival["stream"]) => {
    const piece = stream.next();
    const arrive = () => arrivals.add({ stream, piece });
    // It is told when it is its turn.
    piece.then(arrive, arrive);
  };
  try {
    for (const stream of streams) fetch(stream);
    for (;;) {
      const { stream, piece } = await arrivals.next();
      // It never ends but by a failure.
      yield (await piece).value as FeedPiece;
      fetch(stream);
    }
  } finally {
    end.abort();
    for (const stream of streams) void stream.return().catch(() => undefined);
  }
}

/** The places in parts that one stream each may follow. */
function partsOf(places: Places): Places[] {
  const all = [...places];
  const parts: Places[] = [];
  for (let start = 0; start < all.length; start += MAX_FOLLOWED_KEYS) {
    parts.push(new Map(all.slice(start, start + MAX_FOLLOWED_KEYS)));
  }
  return parts;
}
