import { describe, expect, it } from "vitest";
import { SharedRounds } from "../../../src/maelstrom/kv/shared-rounds.js";

/** Rounds that end when the test says so. */
class Setup {
  readonly begun: ((error?: Error) => void)[] = [];
  readonly ended: string[] = [];
  readonly rounds = new SharedRounds(
    () =>
      new Promise((resolve, reject) => {
        this.begun.push((error) => (error === undefined ? resolve() : reject(error)));
      }),
  );

  ask(name: string): void {
    this.rounds.run().then(
      () => this.ended.push(name),
      ({ message }: Error) => this.ended.push(`${name}: ${message}`),
    );
  }

  async settle(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.ended.splice(0);
  }
}

describe("SharedRounds", () => {
  it("serves all who wait by one round, which began after they asked", async () => {
    const setup = new Setup();
    for (const name of ["a", "b", "c"]) setup.ask(name);
    setup.begun[0]?.();
    expect(await setup.settle()).toEqual(["a"]);
    setup.ask("d");
    setup.begun[1]?.();
    expect(await setup.settle()).toEqual(["b", "c"]);
    setup.begun[2]?.();
    expect(await setup.settle()).toEqual(["d"]);
    expect(setup.begun).toHaveLength(3);
  });

  it("begins at once where none is under way", async () => {
    const setup = new Setup();
    setup.ask("a");
    setup.begun[0]?.();
    await setup.settle();
    setup.ask("b");
    expect(setup.begun).toHaveLength(2);
  });

  it("goes on after a round that failed", async () => {
    const setup = new Setup();
    setup.ask("a");
    setup.ask("b");
    setup.begun[0]?.(new Error("no"));
    expect(await setup.settle()).toEqual(["a: no"]);
    setup.begun[1]?.();
    expect(await setup.settle()).toEqual(["b"]);
  });
});
