import type { Entry } from "./journal.js";
import type { RecordName } from "./values.js";
import type { Workload } from "./workload.js";

/** Which operations the appenders of all lives may have begun. */
export class Submissions {
  readonly #windows = new Map<number, number>();
  readonly #settled = new Map<string, number>();

  begin({ life, window }: Workload): void {
    this.#windows.set(life, window);
  }

  take(life: number, entry: Extract<Entry, { type: "appended" | "refused" }>): void {
    const name = appenderOf(life, entry.key, entry.appender);
    this.#settled.set(name, (this.#settled.get(name) ?? 0) + 1);
  }

  /** An appender begins its n-th operation when all but `window - 1` of those before are settled. */
  mayHold(key: string, { life, appender, op }: RecordName): boolean {
    const settled = this.#settled.get(appenderOf(life, key, appender)) ?? 0;
    return op < settled + (this.#windows.get(life) ?? 0);
  }
}

function appenderOf(life: number, key: string, appender: number): string {
  return JSON.stringify([life, key, appender]);
}
