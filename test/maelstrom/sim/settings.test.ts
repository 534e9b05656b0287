import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readSettings } from "./settings.js";

describe("readSettings", () => {
  let printed = "";

  beforeEach(() => {
    printed = "";
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, "write").mockImplementation((text) => {
        printed += text;
        return true;
      });
    }
  });
  afterEach(() => void vi.restoreAllMocks());

  it("has defaults", () => {
    const { program, simulation, compare } = readSettings(["--seed", "5"]);
    expect({ program, compare }).toEqual({
      program: { engine: "segments", router: true },
      compare: false,
    });
    expect(simulation).toMatchObject({
      nodeCount: 3,
      concurrency: 6,
      latencyMs: 0,
      latencyDistribution: "constant",
      partitions: false,
      nemesisIntervalMs: 10_000,
      recoveryMs: 10_000,
      finalMs: 10_000,
      clientTimeoutMs: 5_000,
      seed: 5,
    });
  });

  it("reads everything", () => {
    const args =
      "--nodes 5 --engine kv --no-router --nemesis partition --nemesis-interval 2.5 --latency 20 " +
      "--latency-dist exponential --throughput 3000 --rate 50 --concurrency 7 --max-writes-per-key 9 --time-limit 3 --recovery-time 0 " +
      "--seed 1 --compare";
    const { program, simulation, compare } = readSettings(args.split(" "));
    expect({ program, compare }).toEqual({
      program: { engine: "kv", router: false },
      compare: true,
    });
    expect(simulation).toMatchObject({
      nodeCount: 5,
      concurrency: 7,
      writesPerKey: 9,
      latencyMs: 20,
      latencyDistribution: "exponential",
      throughput: 3000,
      partitions: true,
      nemesisIntervalMs: 2_500,
      rate: 50,
      timeLimitMs: 3_000,
      recoveryMs: 0,
      seed: 1,
    });
  });

  it.each([
    [["--nodes", "0"], "It must be an integer from 1 on."],
    [["--engine", "raft"], "Allowed choices are segments, kv, naive."],
    [["--no-router"], "only with --engine kv"],
    [["--nemesis", "kill"], "Allowed choices are partition."],
    [["--concurrency", "0n"], "It must be a number from 1 on"],
    [["--rate", "-1"], "It must be a number."],
    [["--time-limit", "0"], "It must be above 0."],
    [["--latency-dist", "normal"], "Allowed choices are constant"],
    [["more"], "too many arguments"],
    [["--unknown"], "unknown option"],
  ])("refuses %j", (args, message) => {
    expect(() => readSettings(args)).toThrow(expect.objectContaining({ exitCode: 2 }));
    expect(printed).toContain(message);
  });

  it("helps", () => {
    expect(() => readSettings(["--help"])).toThrow(expect.objectContaining({ exitCode: 0 }));
    expect(printed).toContain("npm run maelstrom:sim -- --nodes 3 --engine kv --nemesis partition");
  });
});
