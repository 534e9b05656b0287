import { describe } from "../format/record-codec.js";
import {
  integer,
  MAX_TIMER_MS,
  oneOf,
  optionalFunction,
  refuseUnknown,
  requireObject,
} from "../option-checks.js";
import { encodeKey } from "../store/key-directory.js";
import { checkName } from "../store/name.js";
import { shielded } from "./shielded.js";

/** More would take so many streams that a server's usual limit leaves none for other calls. */
const MAX_KEYS = 1_000_000;

/** Options of {@link SeglogClient.consumer}. */
export interface ConsumerOptions {
  /** The keys to read, at most 1,000,000; they need not exist yet. */
  readonly keys: Iterable<string>;
  /** The consumer group to begin with where it has committed, and to commit for. Default: none. */
  readonly group?: string | undefined;
  /**
   * Where to begin with a key for which the group has committed nothing, and where to go on if
   * retention has deleted what comes next: at the first record (`"earliest"`, the default), behind
   * the last one (`"latest"`), or not at all (`"error"`: `OFFSET_OUT_OF_RANGE`).
   */
  readonly reset?: "earliest" | "latest" | "error" | undefined;
  /**
   * Whether what was processed is committed by itself, every {@link autoCommitMs} and by `close`. A
   * record counts as processed when the next one, or the next batch, is asked for. Default: `true`
   * with a group.
   */
  readonly autoCommit?: boolean | undefined;
  /** How often that is. Default 5000. */
  readonly autoCommitMs?: number | undefined;
  /**
   * Told when the connection breaks or cannot be made again, each time, and when a commit made by
   * itself fails. Reading goes on as soon as it can, also if this throws: that is an uncaught exception.
   * Default: nobody.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

/** {@link ConsumerOptions} with every default filled in and every bound checked. */
export interface ResolvedConsumerOptions {
  readonly keys: readonly string[];
  readonly group: string | undefined;
  readonly reset: "earliest" | "latest" | "error";
  readonly autoCommit: boolean;
  readonly autoCommitMs: number;
  /** It never throws. */
  readonly onError: (error: Error) => void;
}

const OPTION_NAMES: readonly (keyof ConsumerOptions)[] = [
  "keys",
  "group",
  "reset",
  "autoCommit",
  "autoCommitMs",
  "onError",
];

/**
 * Checks options and fills in the defaults.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a value out of bounds,
 *   SeglogError `INVALID_KEY`.
 */
export function resolveConsumerOptions(options: ConsumerOptions): ResolvedConsumerOptions {
  requireObject(options, "options");
  refuseUnknown(options, OPTION_NAMES, "option");
  const { group, autoCommit } = options;
  const onError = optionalFunction(options.onError, "onError");
  if (autoCommit !== undefined && typeof autoCommit !== "boolean") {
    throw new TypeError(`autoCommit must be a boolean, not ${describe(autoCommit)}`);
  }
  if (autoCommit === true && group === undefined) {
    throw new TypeError("autoCommit goes with a group");
  }
  return {
    keys: keysOf(options.keys),
    group: group === undefined ? undefined : checkName(group, "a group"),
    reset: oneOf(options.reset, "reset", ["earliest", "latest", "error"] as const) ?? "earliest",
    autoCommit: autoCommit ?? group !== undefined,
    autoCommitMs: integer(options.autoCommitMs, "autoCommitMs", 1, MAX_TIMER_MS) ?? 5000,
    onError: (error) => {
      if (onError !== undefined) shielded(onError, error);
    },
  };
}

function keysOf(keys: Iterable<string>): readonly string[] {
  const isList = typeof keys === "object" && keys !== null && Symbol.iterator in keys;
  if (!isList) throw new TypeError(`keys must be an array of keys, not ${describe(keys)}`);
  const list = [...new Set(keys)];
  if (list.length === 0) throw new RangeError("keys must name at least one key");
  if (list.length > MAX_KEYS) {
    throw new RangeError(
      `keys must name at most ${MAX_KEYS} keys, not ${list.length}: read them with several clients`,
    );
  }
  for (const key of list) encodeKey(key);
  return list;
}
