import type { ReadCheck } from "./read-check.js";

/** An empty stream of a server in another process, and a client of it in this one. */
export interface RemoteStream {
  /** Resolves when the server has acknowledged the record. */
  append(value: Buffer): Promise<unknown>;
  /** Reads from the beginning until `check` has seen all. */
  read(check: ReadCheck): Promise<void>;
  /** @throws Error unless the server has so many records. */
  assertLength(count: number): Promise<void>;
  /** Ends the client, then the server. */
  stop(): Promise<void>;
}
