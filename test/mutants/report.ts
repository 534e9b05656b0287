/** An error with which a test failed, as it came out of Vitest's worker. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly cause?: Failure | undefined;
}

/** What happened to one test. */
export interface TestOutcome {
  /** File below `test/`, and the full name: what one test is told from another by. */
  readonly id: string;
  readonly state: "passed" | "failed" | "skipped" | "pending";
  readonly failures: readonly Failure[];
}

/** What came of one run of a suite. */
export interface Report {
  readonly tests: readonly TestOutcome[];
  /** Why files could not be loaded, or hooks outside of tests failed. */
  readonly fileErrors: readonly string[];
}

/** Errors by which code falls over, rather than a test that notices something. */
const ACCIDENTS = new Set(["SyntaxError", "ReferenceError", "TypeError", "RangeError"]);
const OUT_OF_TIME = /^(Test|Hook) timed out in \d+ ?ms/;

/**
 * Whether a test failed because it noticed something: by an assertion, or by an error that seglog
 * or the test threw on purpose, and at the bottom of its causes too.
 *
 * @param mayHang - Whether running out of time counts.
 */
export function isNotice({ name, message, cause }: Failure, mayHang: boolean): boolean {
  if (ACCIDENTS.has(name)) return false;
  if (OUT_OF_TIME.test(message)) return mayHang;
  return cause === undefined || isNotice(cause, mayHang);
}
