import { describe, expect, it } from "vitest";
import { Looks } from "../../src/log/looks.js";

/** Looks that end when the test says so. */
class Watched {
  begun = 0;
  readonly #ends: { resolve(): void; reject(error: Error): void }[] = [];
  readonly looks = new Looks(() => {
    this.begun++;
    return new Promise((resolve, reject) => this.#ends.push({ resolve, reject }));
  });

  /** Ends the look that began first of those that are under way, and lets all see that. */
  async end(error?: Error): Promise<void> {
    const { resolve, reject } = this.#ends.shift()!;
    if (error === undefined) resolve();
    else reject(error);
    await settled();
  }

  /** Asks for a look; says how many had begun when the answer came. */
  async ask(): Promise<number> {
    await this.looks.run();
    return this.begun;
  }
}

/** Long enough for all that follows from what has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("looks at what others change", () => {
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

  it("begin after the question, and one answers all who asked meanwhile", async () => {
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
    const looks = new Looks(async () => {
      most = Math.max(most, ++running);
      await settled();
      running--;
    });
    for (let round = 0; round < 5; round++) {
      const asked = [looks.run(), looks.run()];
      // Asked in the very turn in which another one has ended.
      await Promise.all(asked.map((each) => each.then(() => looks.run())));
    }
    expect(most).toBe(1);
  });

  it("fail for those whom they answer, and for nobody else", async () => {
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
    await watched.looks.done();
    const asked = [watched.ask(), watched.ask()].map((each) => each.catch(() => 0));
    let isDone = false;
    const done = watched.looks.done().then(() => {
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
