import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { FileSystem } from "../files/file-system.js";
import type { Listener } from "./listener.js";

/**
 * What stands between the network and the services: who comes in, how much of it, and what is told
 * of it. Made first, since the store is opened on its file system; then it is opened for the
 * services.
 */
export interface Gate {
  /** The real one, with its syncs counted: for `createEnvironment`. */
  readonly fileSystem: FileSystem;
  /** A budget of the bytes of appends on their way, over all calls. */
  readonly appendBudget: ByteBudget;
  /** Outermost first. They count and log calls; a handler's SeglogErrors pass through them. */
  readonly interceptors: readonly Interceptor[];
  /** Aborted when the server stops: streams end then. */
  readonly stopping: AbortSignal;
  /** Begins to listen. */
  open(routes: (router: ConnectRouter) => void): Promise<Listener>;
  /** Reads certificates and tokens again. */
  reload(): Promise<void>;
  /** Stops listening, as {@link Listener.close}. */
  close(): Promise<void>;
}

/** Bytes that are taken before something is begun, and given back when it is done. */
export interface ByteBudget {
  /**
   * Waits briefly until there is room for so many bytes.
   *
   * @returns What gives them back; calling it again does nothing.
   * @throws SeglogError `LIMIT_EXCEEDED`; the signal's reason.
   */
  take(bytes: number, signal?: AbortSignal): Promise<() => void>;
}
