import { cpSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { CommitLog } from "../../src/log/commit-log.js";
import type { LogEnvironment } from "../../src/log/environment.js";

/**
 * A log as SIGKILL in the middle of a write leaves it: no marker of a clean close, a truncation
 * still recorded whose bound must no longer be applied, and a last batch of several blocks of
 * which only the first reached the file whole.
 */
export async function writeKilledLog(
  environment: LogEnvironment,
  directory: string,
): Promise<void> {
  const work = `${directory}.writer`;
  rmSync(work, { recursive: true, force: true });
  const options = { segmentBytes: 1500, blockBytes: 256, indexIntervalBytes: 256 };
  const log = await CommitLog.openOn(environment, work, options);
  for (let index = 0; index < 12; index++) {
    await log.append(`record ${index} ${"-".repeat(60)}`);
  }
  await log.truncateTo(10);
  await log.append("goes on at 10");
  await log.append({ value: "and 11", key: "k" });
  // Taken while the writer is open, as a kill takes it.
  cpSync(work, directory, { recursive: true });
  const wholeBytes = statSync(pathOfLast(work)).size;
  await log.appendBatch(
    Array.from({ length: 10 }, (_, index) => `torn ${index} ${"#".repeat(50)}`),
  );
  cpSync(pathOfLast(work), pathOfLast(directory));
  truncateSync(pathOfLast(directory), wholeBytes + 300);
  await log.close();
}

function pathOfLast(directory: string): string {
  const names = readdirSync(directory).filter((name) => name.endsWith(".log"));
  return join(directory, names.sort().at(-1)!);
}
