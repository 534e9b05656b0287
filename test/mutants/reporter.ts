import { writeFileSync } from "node:fs";
import { relative, sep } from "node:path";
import type { Reporter, SerializedError, TestCase, TestModule, Vitest } from "vitest/node";
import { type Failure, isNotice, type Report, type TestOutcome } from "./report.js";

/** When a run may end: with its last test, or as soon as a bug is noticed. */
export type Wanted = "all" | "first notice" | "first notice or hang";

/**
 * Writes what became of each test, with the names and causes of the errors, which Vitest's own
 * report in JSON leaves out; and ends a run as soon as a bug is noticed.
 */
export class GateReporter implements Reporter {
  readonly #tests: string;
  readonly #target: string;
  readonly #wanted: Wanted;
  #vitest: Vitest | undefined;

  /**
   * @param tests - The directory `test/`.
   * @param target - The file to write.
   */
  constructor(tests: string, target: string, wanted: Wanted) {
    this.#tests = tests;
    this.#target = target;
    this.#wanted = wanted;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestCaseResult(test: TestCase): void {
    if (this.#wanted === "all") return;
    const mayHang = this.#wanted === "first notice or hang";
    const { failures } = this.#outcome(test);
    if (!failures.some((failure) => isNotice(failure, mayHang))) return;
    void this.#vitest?.cancelCurrentRun("test-failure");
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const report: Report = {
      tests: modules.flatMap((module) =>
        [...module.children.allTests()].map((test) => this.#outcome(test)),
      ),
      fileErrors: modules.flatMap((module) =>
        module.errors().map(({ message }) => `${this.#path(module)}: ${message}`),
      ),
    };
    writeFileSync(this.#target, JSON.stringify(report));
  }

  #outcome(test: TestCase): TestOutcome {
    const { state, errors } = test.result();
    const id = `${this.#path(test.module)}: ${test.fullName}`;
    return { id, state, failures: (errors ?? []).map(toFailure) };
  }

  #path({ moduleId }: TestModule): string {
    return relative(this.#tests, moduleId).split(sep).join("/");
  }
}

function toFailure({ name, message, cause }: SerializedError): Failure {
  return {
    name: name ?? "Error",
    message,
    cause: cause === undefined ? undefined : toFailure(cause as SerializedError),
  };
}
