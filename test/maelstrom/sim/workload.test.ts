import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { type Task, Workload } from "./workload.js";

/** What clients are to do, if everything that is sent is acknowledged at once, and nobody polls. */
function tasks(count: number, seed = 1): Task[] {
  const workload = new Workload(new Random(seed), 16);
  return Array.from({ length: count }, () => {
    const task = workload.next();
    if (task.type === "send") workload.sent(task.key, task.message - 1);
    return task;
  });
}

const sendsOf = (all: readonly Task[]) => all.filter((task) => task.type === "send");

describe("Workload", () => {
  it("sends as often as it polls, and assigns keys now and then", () => {
    const all = tasks(20_000);
    const share = (type: Task["type"]) => all.filter((task) => task.type === type).length / 20_000;
    expect(share("send")).toBeCloseTo(0.49, 1);
    expect(share("poll")).toBeCloseTo(0.49, 1);
    expect(share("assign")).toBeCloseTo(1 / 64, 2);
  });

  it("numbers the messages of a key, 16 at most", () => {
    const last = new Map<string, number>();
    for (const { key, message } of sendsOf(tasks(20_000))) {
      expect(message).toBe((last.get(key) ?? 0) + 1);
      last.set(key, message);
    }
    expect(Math.max(...last.values())).toBe(16);
    // As many as in a recorded run of Maelstrom with as many sends.
    expect(last.size).toBeGreaterThan(550);
    expect(last.size).toBeLessThan(700);
  });

  it("begins with ten keys, the last of which is the most likely", () => {
    const first = sendsOf(tasks(30)).map(({ key }) => key);
    expect(first.filter((key) => key === "9").length).toBeGreaterThan(first.length / 4);
    expect(first.every((key) => Number(key) <= 10)).toBe(true);
  });

  it("assigns keys with messages that nobody has read, too, but no others", () => {
    const assigned = tasks(2_000).flatMap((task) => (task.type === "assign" ? [task.keys] : []));
    expect(Math.max(...assigned.map((keys) => keys.length))).toBeGreaterThan(10);
    const workload = new Workload(new Random(1), 16);
    workload.sent("42", 7);
    workload.read("42", 7);
    const rest = Array.from({ length: 2_000 }, () => workload.next());
    const keys = rest.flatMap((task) => (task.type === "assign" ? task.keys : []));
    expect(keys).not.toContain("42");
  });

  it("is determined by its seed", () => {
    expect(tasks(100, 1)).toEqual(tasks(100, 1));
    expect(tasks(100, 1)).not.toEqual(tasks(100, 2));
  });

  it("remembers what is there to be read and listed", () => {
    const workload = new Workload(new Random(1), 16);
    workload.sent("a", 3);
    workload.sent("a", 1);
    workload.read("b", 5);
    workload.committed("b", 4);
    expect(Object.fromEntries(workload.highestOffsets)).toEqual({ a: 3, b: 5 });
    expect(Object.fromEntries(workload.committedOffsets)).toEqual({ b: 4 });
  });
});
