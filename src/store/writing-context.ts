import type { LogEnvironment } from "../log/environment.js";
import type { ResolvedLogOptions } from "../log/options.js";
import type { WriterSession } from "../log/writer-session.js";

/** Where and how this process writes a store. */
export interface WritingContext {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly storeId: Uint8Array;
  readonly session: WriterSession;
}
