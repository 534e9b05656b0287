import type { CompressionName } from "../format/compression.js";
import {
  integer,
  MAX_TIMER_MS,
  oneOf,
  optionalFunction,
  refuseUnknown,
  requireObject,
} from "../option-checks.js";
import { checkName } from "../store/name.js";

/** Options of {@link SeglogClient.producer}. */
export interface ProducerOptions {
  /**
   * How long a record waits for others, in milliseconds, so that more of them travel together; a
   * full batch does not wait. Default 0: a batch is sent as soon as the connection takes it, with
   * everything that has come until then. More makes larger batches of a slow trickle.
   */
  readonly lingerMs?: number | undefined;
  /**
   * How many bytes of records fill a batch. A record that is longer travels alone. Default 64 KiB,
   * from 1 B to 16 MiB.
   */
  readonly batchBytes?: number | undefined;
  /** Batches of one key that are under way at a time, from 1 to 5. Default 5. */
  readonly maxInFlight?: number | undefined;
  /** `"lz4"` compresses batches for the way to the server. Default `"none"`. */
  readonly compression?: CompressionName | undefined;
  /**
   * Bytes of the records that are not delivered yet, each counted with 128 bytes for its keeping.
   * Default 32 MiB.
   */
  readonly maxBufferedBytes?: number | undefined;
  /**
   * What `send` does while there is no room: `"wait"`, in the order of the calls, or `"reject"`
   * with `LIMIT_EXCEEDED`. Default `"wait"`.
   */
  readonly whenFull?: "wait" | "reject" | undefined;
  /**
   * How long a record may take from `send` until it is confirmed, with all the attempts that takes.
   * Then it is given up. Default 120000 (2 minutes).
   */
  readonly deliveryTimeoutMs?: number | undefined;
  /**
   * Makes the producer the only one of its name: earlier ones of that name can append no more, also
   * after their process or this one was started again. Default: no name, and nobody is shut out.
   */
  readonly name?: string | undefined;
  /**
   * Told of every batch that could not be delivered, once, and of what a callback throws. With it,
   * no rejected promise of `send` counts as unhandled. Default: what a callback throws is an
   * uncaught exception.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** {@link ProducerOptions} with every default filled in and every bound checked. */
export interface ResolvedProducerOptions {
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly maxInFlight: number;
  readonly compression: CompressionName;
  readonly maxBufferedBytes: number;
  readonly whenFull: "wait" | "reject";
  readonly deliveryTimeoutMs: number;
  readonly name: string | undefined;
  readonly onError: ((error: unknown) => void) | undefined;
}

/** The server remembers the places of so many batches of a producer in each key. */
const MAX_IN_FLIGHT = 5;
const KIB = 1024;
const MIB = 1024 * KIB;

const OPTION_NAMES: readonly (keyof ProducerOptions)[] = [
  "lingerMs",
  "batchBytes",
  "maxInFlight",
  "compression",
  "maxBufferedBytes",
  "whenFull",
  "deliveryTimeoutMs",
  "name",
  "onError",
];

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a value out of bounds,
 *   SeglogError `INVALID_KEY` for a name that cannot be one.
 */
export function resolveProducerOptions(options: ProducerOptions): ResolvedProducerOptions {
  requireObject(options, "options");
  refuseUnknown(options, OPTION_NAMES, "option");
  const { name } = options;
  return {
    lingerMs: integer(options.lingerMs, "lingerMs", 0, MAX_TIMER_MS) ?? 0,
    batchBytes: integer(options.batchBytes, "batchBytes", 1, 16 * MIB) ?? 64 * KIB,
    maxInFlight: integer(options.maxInFlight, "maxInFlight", 1, MAX_IN_FLIGHT) ?? MAX_IN_FLIGHT,
    compression: oneOf(options.compression, "compression", ["none", "lz4"] as const) ?? "none",
    maxBufferedBytes:
      integer(options.maxBufferedBytes, "maxBufferedBytes", 1, Number.MAX_SAFE_INTEGER) ?? 32 * MIB,
    whenFull: oneOf(options.whenFull, "whenFull", ["wait", "reject"] as const) ?? "wait",
    deliveryTimeoutMs:
      integer(options.deliveryTimeoutMs, "deliveryTimeoutMs", 1, MAX_TIMER_MS) ?? 120_000,
    name: name === undefined ? undefined : checkName(name, "a producer"),
    onError: optionalFunction(options.onError, "onError"),
  };
}
