/** The tests that have to notice a bug. */
export interface Suite {
  /** Below `test/`, as narrow as possible; their tests run in Vitest's own processes. */
  readonly files: readonly string[];
  /** Only tests whose full name matches this regular expression. Default: all. */
  readonly pattern?: string;
}

/** A bug that can be planted: one stretch of a source file, and what stands there instead. */
export interface Mutant {
  /** Unique; lower case, words joined by hyphens. */
  readonly name: string;
  /** What a seglog with this bug does wrong. */
  readonly bug: string;
  /** Below `src/`. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly suite: Suite;
  /** The bug shows as a promise that never settles, so a test that runs out of time notices it. */
  readonly hangs?: true;
}
