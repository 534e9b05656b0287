import { describe } from "../format/record-codec.js";
import { integer } from "../option-checks.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** The longest delay that a timer of Node takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * How much a server takes upon itself. A call beyond a limit fails with `LIMIT_EXCEEDED`, and
 * nothing of it is done; what is under way goes on unharmed.
 */
export interface ServerLimits {
  /**
   * Longest message of a request, and so the longest batch; also decompressed. Default 20 MiB, in
   * which the longest record of a store with default options fits; from 1 KiB to 1 GiB.
   */
  readonly maxMessageBytes?: number | undefined;
  /** Open connections. One more is told so, and closed. Default 2000. */
  readonly maxConnections?: number | undefined;
  /**
   * Calls that a connection may have under way over HTTP/2; clients queue what is beyond. Default
   * 128.
   */
  readonly maxStreamsPerConnection?: number | undefined;
  /**
   * Bytes of requests that are being received or acted upon, over all connections. Beyond it the
   * server stops reading what else comes, and after {@link roomMs} refuses it. Default 256 MiB, at
   * least {@link maxMessageBytes}.
   */
  readonly maxBytesInFlight?: number | undefined;
  /**
   * Bytes that responses hold, over all connections, from before they are read from the store until
   * the network has taken them. Beyond it no more are read, and after {@link roomMs} a response of
   * which its caller takes nothing is ended. One alone may be longer. Default 256 MiB.
   */
  readonly maxResponseBytesInFlight?: number | undefined;
  /**
   * How long a request waits for room in {@link maxBytesInFlight}, and for how long, while others
   * wait for room in {@link maxResponseBytesInFlight}, nothing may be taken of a response; less than
   * 250 counts as 250 there. Default 1000.
   */
  readonly roomMs?: number | undefined;
  /** For how long nothing may be taken of a response, whoever waits. Default 120,000. */
  readonly stallMs?: number | undefined;
  /**
   * How long a request may take from its headers to its end, and in a stream of messages each of
   * them from its first byte to its last; whoever is slower is cut off. Default 60,000.
   */
  readonly messageMs?: number | undefined;
  /**
   * Longest response with records, as it is encoded for gRPC, whatever the caller asks for; a
   * single record that is longer is given all the same. Default 4 MiB, which is what most clients
   * of gRPC take without being told.
   */
  readonly maxPollBytes?: number | undefined;
  /** Records in one response, whatever the caller asks for. Default 10,000. */
  readonly maxPollRecords?: number | undefined;
  /** Keys in one page of a listing, whatever the caller asks for. Default 10,000. */
  readonly maxPageKeys?: number | undefined;
  /** Length of a request's headers. Default 16 KiB; from 1 KiB to 1 MiB. */
  readonly maxHeaderBytes?: number | undefined;
  /**
   * How long a new connection may take for its TLS handshake and, over HTTP/1.1, its first headers.
   * Default 10,000.
   */
  readonly headersMs?: number | undefined;
  /** After how long a connection without a call under way is closed. Default 300,000. */
  readonly idleMs?: number | undefined;
  /**
   * How often an HTTP/2 connection is asked for a sign of life; one that has not answered by the
   * next time is closed, with what is under way on it. Default 30,000.
   */
  readonly pingMs?: number | undefined;
  /** How long calls may go on when the server stops or reloads its certificates. Default 10,000. */
  readonly shutdownMs?: number | undefined;
  /**
   * Series of consumer lag that `/metrics` shows one by one; the rest is summed up. Default 1000.
   */
  readonly maxLagSeries?: number | undefined;
}

/** {@link ServerLimits} with every default filled in and every bound checked. */
export type ResolvedLimits = Readonly<Record<keyof ServerLimits, number>>;

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly otherwise: number;
}

const BOUNDS: Readonly<Record<keyof ServerLimits, Bounds>> = {
  maxMessageBytes: { least: KIB, most: GIB, otherwise: 20 * MIB },
  maxConnections: { least: 1, most: 1_000_000, otherwise: 2000 },
  maxStreamsPerConnection: { least: 1, most: 100_000, otherwise: 128 },
  maxBytesInFlight: { least: KIB, most: Number.MAX_SAFE_INTEGER, otherwise: 256 * MIB },
  maxResponseBytesInFlight: {
    least: KIB,
    most: Number.MAX_SAFE_INTEGER,
    otherwise: 256 * MIB,
  },
  roomMs: { least: 0, most: MAX_TIMER_MS, otherwise: 1000 },
  stallMs: { least: 1, most: MAX_TIMER_MS, otherwise: 120_000 },
  messageMs: { least: 1, most: MAX_TIMER_MS, otherwise: 60_000 },
  maxPollBytes: { least: 1, most: GIB, otherwise: 4 * MIB },
  maxPollRecords: { least: 1, most: 10_000_000, otherwise: 10_000 },
  maxPageKeys: { least: 1, most: 1_000_000, otherwise: 10_000 },
  maxHeaderBytes: { least: KIB, most: MIB, otherwise: 16 * KIB },
  headersMs: { least: 1, most: MAX_TIMER_MS, otherwise: 10_000 },
  idleMs: { least: 1, most: MAX_TIMER_MS, otherwise: 300_000 },
  pingMs: { least: 1, most: MAX_TIMER_MS, otherwise: 30_000 },
  shutdownMs: { least: 0, most: MAX_TIMER_MS, otherwise: 10_000 },
  maxLagSeries: { least: 0, most: 100_000, otherwise: 1000 },
};

/**
 * Checks limits and fills in the defaults.
 *
 * @throws TypeError for an unknown limit or a wrong type, RangeError for a value out of bounds.
 */
export function resolveLimits(limits: ServerLimits = {}): ResolvedLimits {
  if (typeof limits !== "object" || limits === null) {
    throw new TypeError(`limits must be an object, not ${describe(limits)}`);
  }
  const names = Object.keys(BOUNDS) as (keyof ServerLimits)[];
  for (const name of Object.keys(limits)) {
    if (Object.hasOwn(BOUNDS, name)) continue;
    throw new TypeError(`Unknown limit: ${describe(name)}. Known are: ${names.join(", ")}`);
  }
  const resolved = Object.fromEntries(
    names.map((name) => {
      const { least, most, otherwise } = BOUNDS[name];
      return [name, integer(limits[name], name, least, most) ?? otherwise];
    }),
  ) as ResolvedLimits;
  if (resolved.maxBytesInFlight < resolved.maxMessageBytes) {
    throw new RangeError(
      `maxBytesInFlight must be at least maxMessageBytes, ${resolved.maxMessageBytes}, ` +
        `not ${resolved.maxBytesInFlight}`,
    );
  }
  return resolved;
}
