import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/server/byte-budget.js";
import { resolveLimits, type ServerLimits } from "../../src/server/limits.js";
import { codeOf } from "../support/failure.js";

describe("limits", () => {
  it("have defaults", () => {
    const { maxMessageBytes, maxConnections } = resolveLimits({ maxConnections: 7 });
    expect({ maxMessageBytes, maxConnections }).toEqual({
      maxMessageBytes: 20 * 1024 * 1024,
      maxConnections: 7,
    });
  });

  it.each<[unknown, ErrorConstructor]>([
    [null, TypeError],
    [{ maxConnection: 1 }, TypeError],
    [{ toString: 1 }, TypeError],
    [{ maxConnections: "1" }, TypeError],
    [{ maxConnections: 0 }, RangeError],
    [{ idleMs: 1.5 }, RangeError],
    [{ idleMs: 2 ** 31 }, RangeError],
    [{ maxBytesInFlight: 1024 * 1024 }, RangeError],
  ])("refuse %o", (limits, error) => {
    expect(() => resolveLimits(limits as ServerLimits)).toThrow(error);
  });
});

describe("a budget of bytes", () => {
  it("gives what there is, and takes back what is given back, once", async () => {
    const budget = new ByteBudget(10, 0);
    const giveBack = await budget.take(10);
    expect(budget.tryTake(1)).toBe(false);
    giveBack();
    giveBack();
    expect(budget.taken).toBe(0);
    expect(budget.tryTake(10)).toBe(true);
  });

  it("lets callers wait in the order in which they come", async () => {
    const budget = new ByteBudget(10, 20_000);
    const order: string[] = [];
    const giveBack = await budget.take(10);
    const large = budget.take(9).then((back) => {
      order.push("large");
      return back;
    });
    const small = budget.take(2).then(() => order.push("small"));
    giveBack();
    (await large)();
    await small;
    expect(order).toEqual(["large", "small"]);
  });

  it("gives nothing past those who wait", async () => {
    const budget = new ByteBudget(10, 20_000);
    const giveBack = await budget.take(5);
    const large = budget.take(6);
    expect(budget.tryTake(2)).toBe(false);
    giveBack();
    await large;
    expect(budget.tryTake(2)).toBe(true);
  });

  it("refuses what gets no room in time, and what can get none", async () => {
    const budget = new ByteBudget(10, 1);
    await budget.take(10);
    expect(await codeOf(budget.take(1))).toBe("LIMIT_EXCEEDED");
    expect(await codeOf(new ByteBudget(10, 20_000).take(11))).toBe("LIMIT_EXCEEDED");
  });

  it("forgets who gives up, and goes on with those behind", async () => {
    const budget = new ByteBudget(10, 20_000);
    await budget.take(5);
    const patience = new AbortController();
    const large = budget.take(6, patience.signal);
    const small = budget.take(5);
    patience.abort(new Error("enough"));
    await expect(large).rejects.toThrow("enough");
    await small;
    await expect(budget.take(1, patience.signal)).rejects.toThrow("enough");
    expect(budget.taken).toBe(10);
  });
});
