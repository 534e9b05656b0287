/**
 * Maelstrom's error codes (its `doc/protocol.md`). A code is definite if it says for certain that
 * what was asked for has not happened and never will.
 */
export const ERROR_CODES = {
  /** No answer in time: it may have happened, or may still happen. Not definite. */
  timeout: 0,
  /** There is no such node. */
  nodeNotFound: 1,
  /** The node does not know this type of request. */
  notSupported: 10,
  /** The node cannot do it now; later it may. */
  temporarilyUnavailable: 11,
  /** The request is not as it should be. */
  malformedRequest: 12,
  /** Something went wrong on the way: it may have happened. Not definite. */
  crash: 13,
  /** It was given up. */
  abort: 14,
  /** There is no such key. */
  keyDoesNotExist: 20,
  /** There is such a key already. */
  keyAlreadyExists: 21,
  /** Something is not as the request expects it to be. */
  preconditionFailed: 22,
  /** It was given up because it got in the way of another transaction. */
  txnConflict: 30,
} as const;

/** The name of one of {@link ERROR_CODES}. */
export type ErrorKind = keyof typeof ERROR_CODES;

const INDEFINITE: ReadonlySet<number> = new Set([ERROR_CODES.timeout, ERROR_CODES.crash]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(ERROR_CODES));

/** A failure that is told to the sender of a request, or that the answer to one has told. */
export class MaelstromError extends Error {
  /** One of {@link ERROR_CODES}, or one that a program made up for itself, from 1000 on. */
  readonly code: number;

  /** @param kind - By name, or the number as a message has it. */
  constructor(kind: ErrorKind | number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MaelstromError";
    this.code = typeof kind === "number" ? kind : ERROR_CODES[kind];
  }

  /** Whether nothing has happened, for certain. What is not known here is not certain. */
  get isDefinite(): boolean {
    return KNOWN.has(this.code) && !INDEFINITE.has(this.code);
  }
}

/** An error as it is told: what is no `MaelstromError` concerns the log alone. */
export function asMaelstromError(error: unknown): MaelstromError {
  if (error instanceof MaelstromError) return error;
  return new MaelstromError("crash", "The node failed; see its log.", { cause: error });
}
