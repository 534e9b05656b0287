import { cpSync, rmSync } from "node:fs";
import { CommitLog } from "../../src/log/commit-log.js";
import type { LogEnvironment } from "../../src/log/environment.js";

/**
 * A log as SIGKILL between two writes leaves it: behind the blocks of its newest segment there are
 * zeros, and the segment before it ends with its last block.
 */
export async function writeRoomLog(environment: LogEnvironment, directory: string): Promise<void> {
  const work = `${directory}.writer`;
  rmSync(work, { recursive: true, force: true });
  const roomy = { ...environment, roomFromBytes: 0, roomBytes: 6400 };
  const log = await CommitLog.openOn(roomy, work, { segmentBytes: 4000 });
  for (let index = 0; index < 30; index++) {
    await log.append(`record ${index} ${"-".repeat(60)}`);
  }
  // Taken while the writer is open, as a kill takes it.
  cpSync(work, directory, { recursive: true });
  await log.close();
}
