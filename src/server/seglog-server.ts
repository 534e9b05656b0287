/** A server that runs. */
export interface SeglogServer extends AsyncDisposable {
  /** The address that it listens on, such as `127.0.0.1`. */
  readonly address: string;
  /** The port that it listens on. */
  readonly port: number;
  /** For clients, such as `http://127.0.0.1:50052`. */
  readonly url: string;
  /**
   * Reads certificates and tokens again. Connections that are open finish what is under way on
   * them, and are closed then. If a file cannot be used, all stays as it was.
   *
   * @throws SeglogError `FILE_ACCESS`, `IO_ERROR`, `UNSAFE_PATH`; TypeError for what is no
   *   certificate, key or file of tokens.
   */
  reload(): Promise<void>;
  /**
   * Stops: takes no more calls, answers what it has taken, ends streams, puts everything on stable
   * storage, and closes the store if it has opened it. Calls that take longer than `shutdownMs` are
   * broken off. Later calls return the same promise.
   *
   * @throws What flushing or closing the store fails with.
   */
  close(): Promise<void>;
}
