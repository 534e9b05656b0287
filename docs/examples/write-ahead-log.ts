// A write-ahead log: a program that keeps its state in memory, appends each change to a log before
// it answers, and builds the state again from the log when it starts.
//
// The bank runs in a process of its own, which is killed with SIGKILL in the middle of its work.
// Every transfer that it had answered must be there afterwards, and none by half.

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommitLog } from "seglog";

const TOTAL = 1_000;

interface Change {
  readonly account: string;
  readonly amount: number;
}

class Bank {
  readonly #log: CommitLog;
  readonly #balances = new Map<string, number>();

  private constructor(log: CommitLog) {
    this.#log = log;
  }

  /** Opens the log, which brings its files in order after a crash, and applies what it holds. */
  static async open(directory: string): Promise<Bank> {
    const bank = new Bank(await CommitLog.open(directory));
    for await (const batch of bank.#log.batches()) {
      for (const { value } of batch) bank.#apply(JSON.parse(Buffer.from(value).toString()));
    }
    return bank;
  }

  get isNew(): boolean {
    return this.#balances.size === 0;
  }

  get total(): number {
    return [...this.#balances.values()].reduce((sum, balance) => sum + balance, 0);
  }

  balanceOf(account: string): number {
    return this.#balances.get(account) ?? 0;
  }

  /** All changes or none, also after a crash. They are on stable storage when this resolves. */
  async record(changes: readonly Change[]): Promise<void> {
    await this.#log.appendBatch(changes.map((change) => JSON.stringify(change)));
    for (const change of changes) this.#apply(change);
  }

  transfer(from: string, to: string, amount: number): Promise<void> {
    return this.record([
      { account: from, amount: -amount },
      { account: to, amount },
    ]);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #apply({ account, amount }: Change): void {
    this.#balances.set(account, this.balanceOf(account) + amount);
  }
}

const [task, directory] = process.argv.slice(2);
if (task === "serve") await serve(directory!);
else await main();

/** The process that is killed: transfers one after the other, and tells of each when it is done. */
async function serve(directory: string): Promise<void> {
  const bank = await Bank.open(directory);
  if (bank.isNew) await bank.record([{ account: "alice", amount: TOTAL }]);
  for (;;) {
    await bank.transfer("alice", "bob", 1);
    process.send?.(bank.balanceOf("bob"));
  }
}

async function main(): Promise<void> {
  // New on each run, and gone after it; yours would have a name and stay.
  const directory = mkdtempSync(join(tmpdir(), "seglog-example-"));
  process.once("exit", () => rmSync(directory, { recursive: true }));
  for (let run = 1; run <= 2; run++) {
    const answered = await answeredUntilKilled(
      fork(fileURLToPath(import.meta.url), ["serve", directory]),
    );
    // The lock died with its process, so the log can be opened at once.
    const bank = await Bank.open(directory);
    const bob = bank.balanceOf("bob");
    assert.ok(bob >= answered, `bob has ${bob}, but ${answered} was answered`);
    assert.equal(bank.total, TOTAL);
    console.log(`run ${run}: answered up to ${answered}, recovered ${bob}, ${bank.total} in all`);
    await bank.close();
  }
}

/** Kills the process after some answers; returns the last one that arrived. */
async function answeredUntilKilled(child: ChildProcess): Promise<number> {
  let last = 0;
  let answers = 0;
  child.on("message", (bob: number) => {
    last = bob;
    answers++;
    if (answers === 20) child.kill("SIGKILL");
  });
  // Not "exit": answers may still be on their way then.
  await once(child, "close");
  assert.ok(answers >= 20, "the bank stopped by itself");
  return last;
}
