import { describe, expect, it } from "vitest";
import { SharedRounds } from "../../src/log/shared-rounds.js";

/** Rounds that end when the test says so. */
class Watched {
  begun = 0;
  readonly #ends: { resolve(): void; reject(error: Error): void }[] = [];
  readonly rounds = new SharedRounds(() => {
    this.begun++;
    return new Promise((resolve, reject) => this.#ends.push({ resolve, reject }));
  });

  /** Ends the round that began first of those that are under way, and lets all see that. */
  async end(error?: Error): Promise<void> {
    const { resolve, reject } = this.#ends.shift()!;
    if (error === undefined) resolve();
    else reject(error);
    await settled();
  }

  /** Asks for a round; says how many had begun when it was served. */
  async ask(): Promise<number> {
    await this.rounds.run();
    return this.begun;
  }
}

/** Long enough for all that follows from what has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("rounds that are shared", () => {
  it("begin at once when none is under way", async () => {
    const watched = new Watched();
    const first = watched.ask();
    expect(watched.begun).toBe(1);
    await watched.end();
    expect(await first).toBe(1);
    const second = watched.ask();
    expect(watched.begun).toBe(2);
    await watched.end();
    expect(await second).toBe(2);
  });

  it("begin after the question, and one serves all who asked meanwhile", async () => {
    const watched = new Watched();
    const first = watched.ask();
    const later = [watched.ask(), watched.ask(), watched.ask()];
    await settled();
    expect(watched.begun).toBe(1);
    await watched.end();
    expect(watched.begun).toBe(2);
    await first;
    // This one began before they asked.
    const last = [watched.ask(), watched.ask()];
    await watched.end();
    expect(await Promise.all(later)).toEqual([2, 2, 2]);
    expect(watched.begun).toBe(3);
    await watched.end();
    expect(await Promise.all(last)).toEqual([3, 3]);
    expect(watched.begun).toBe(3);
  });

  it("are one at a time", async () => {
    let running = 0;
    let most = 0;
    const rounds = new SharedRounds(async () => {
      most = Math.max(most, ++running);
      await settled();
      running--;
    });
    for (let time = 0; time < 5; time++) {
      const asked = [rounds.run(), rounds.run()];
      // Asked in the very turn in which another one has ended.
      await Promise.all(asked.map((each) => each.then(() => rounds.run())));
    }
    expect(most).toBe(1);
  });

  it("fail for those whom they serve, and for nobody else", async () => {
    const watched = new Watched();
    const told: unknown[] = [];
    const note = (error: unknown) => told.push(error);
    const first = watched.ask().catch(note);
    const second = watched.ask();
    await watched.end(new Error("the first"));
    await first;
    expect(told).toEqual([new Error("the first")]);
    await watched.end();
    expect(await second).toBe(2);
    const third = watched.ask().catch(note);
    const fourth = [watched.ask().catch(note), watched.ask().catch(note)];
    await watched.end();
    await third;
    await watched.end(new Error("the fourth"));
    await Promise.all(fourth);
    expect(told.slice(1)).toEqual([new Error("the fourth"), new Error("the fourth")]);
  });

  it("are done when none is under way or asked for, however they end", async () => {
    const watched = new Watched();
    await watched.rounds.done();
    const asked = [watched.ask(), watched.ask()].map((each) => each.catch(() => 0));
    let isDone = false;
    const done = watched.rounds.done().then(() => {
      isDone = true;
    });
    await watched.end(new Error("no"));
    expect(isDone).toBe(false);
    await watched.end(new Error("no again"));
    await done;
    await Promise.all(asked);
    expect(isDone).toBe(true);
  });
});
