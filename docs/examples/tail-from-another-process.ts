// Tailing: a second process follows a log while the first one writes to it. The reader takes no
// lock, and sees a record when it is as safe as the writer's durability policy makes it.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommitLog } from "seglog";

const LAST = "that was all";

const [task, directory] = process.argv.slice(2);
if (task === "tail") await tail(directory!);
else await main();

/** The reading process: passes on what it reads until it meets the last record. */
async function tail(directory: string): Promise<void> {
  await using log = await CommitLog.open(directory, { readOnly: true });
  // `from` is remembered by whoever reads; here, everything from the start on.
  for await (const { offset, value } of log.records({ from: log.startOffset, follow: true })) {
    const text = Buffer.from(value).toString();
    process.send?.({ offset, text });
    if (text === LAST) break;
  }
  process.disconnect?.();
}

/** The writing process: waits for the reader to have seen a record before it writes the next. */
async function main(): Promise<void> {
  // New on each run, and gone after it; yours would have a name and stay.
  const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
  process.once("exit", () => rmSync(directory, { recursive: true }));
  await using log = await CommitLog.open(directory);
  await log.append("written before anybody looked");
  const reader = fork(fileURLToPath(import.meta.url), ["tail", directory]);
  const exited = once(reader, "exit");
  const seen = messagesOf(reader);
  assert.deepEqual(await next(seen), { offset: 0, text: "written before anybody looked" });
  for (const text of ["20.5 °C", "20.7 °C", LAST]) {
    const offset = await log.append(text);
    assert.deepEqual(await next(seen), { offset, text });
    console.log(`the other process read offset ${offset}: ${text}`);
  }
  assert.deepEqual(await exited, [0, null]);
}

function messagesOf(child: ChildProcess): AsyncIterator<unknown[]> {
  // A reader that stops early ends the wait, too.
  return on(child, "message", { close: ["exit"] })[Symbol.asyncIterator]();
}

async function next(messages: AsyncIterator<unknown[]>): Promise<unknown> {
  const { value, done } = await messages.next();
  assert.ok(!done, "the reader stopped early");
  return value[0];
}
