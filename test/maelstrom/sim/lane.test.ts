import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Lane } from "./lane.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("lets messages pass in their order, so many in a second", () => {
  const lane = new Lane(100);
  const passed: number[] = [];
  for (let message = 0; message < 50; message++) lane.enter(() => passed.push(message));
  expect(passed).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(passed.length).toBeGreaterThanOrEqual(19);
  expect(passed.length).toBeLessThanOrEqual(20);
  vi.advanceTimersByTime(400);
  expect(passed).toEqual(Array.from({ length: 50 }, (_, message) => message));
});

it("does not save up for later what was not used", () => {
  const lane = new Lane(100);
  vi.advanceTimersByTime(10_000);
  const passed: number[] = [];
  for (let message = 0; message < 50; message++) lane.enter(() => passed.push(message));
  vi.advanceTimersByTime(100);
  expect(passed.length).toBeLessThanOrEqual(10);
});

it("holds up nothing without a limit", () => {
  let passed = false;
  new Lane(Number.POSITIVE_INFINITY).enter(() => {
    passed = true;
  });
  expect(passed).toBe(true);
});
