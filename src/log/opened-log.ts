import type { LogView } from "./log-view.js";
import type { LogWriter } from "./log-writer.js";
import type { RecoveryReport } from "./recovery-report.js";

/** A log that was just opened. */
export interface OpenedLog {
  /** The writer, unless it is open for reading only. */
  readonly view: LogView;
  readonly writer: LogWriter | undefined;
  /** What opening it found and did. */
  readonly recovery: RecoveryReport;
  /**
   * Gives back what the writer, if there is one, does not give back itself.
   *
   * @param isInOrder - Whether all that was written is on stable storage.
   */
  readonly release: (isInOrder: boolean) => Promise<void>;
}
