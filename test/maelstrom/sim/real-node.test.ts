import { describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "./compiled.js";
import { describeProgram, type ProgramChoice, withProgram } from "./programs.js";
import { isValid, messagesPerRequest, reportOf } from "./report.js";
import { shortRun } from "./short-run.js";
import type { SimulationOptions, SimulationResult } from "./simulation.js";

/** `SEGLOG_SEED=5 npx vitest …` runs another seed. */
const SEED = Number(process.env.SEGLOG_SEED ?? 1);

const MODES: readonly ProgramChoice[] = [
  { engine: "segments", router: true },
  { engine: "kv", router: true },
  { engine: "kv", router: false },
];

describe.each(MODES.map((mode) => [describeProgram(mode), mode] as const))(
  `%s, seed ${SEED}`,
  (_, mode) => {
    async function run(options: Partial<SimulationOptions>): Promise<SimulationResult> {
      const result = await withProgram(PACKAGE_ROOT, mode, (program) =>
        shortRun(program, SEED, options),
      );
      expect(isValid(result), reportOf(result)).toBe(true);
      expect(result.verdict).toMatchObject({ unseen: 0 });
      expect(result.verdict.acknowledged).toBeGreaterThan(20);
      return result;
    }

    it("keeps the rules with two nodes, and answers everything", async () => {
      const { phases, tally } = await run({ nodeCount: 2, concurrency: 4 });
      for (const { failed, unknown } of tally.byType.values()) {
        expect({ failed, unknown }).toEqual({ failed: 0, unknown: 0 });
      }
      const { betweenNodes, services } = messagesPerRequest(phases.quarters[0]!, phases.settled);
      // There and back again, for the half of the keys that the other node owns.
      expect(betweenNodes).toBeLessThanOrEqual(mode.router ? 2 : 0);
      expect(services > 0).toBe(mode.engine === "kv");
    });

    it("keeps the rules with three nodes that list what they commit, on a slow network", async () => {
      await run({ latencyMs: 10, listsAfterCommit: true, timeLimitMs: 3_000 });
    });

    it("keeps the rules with five nodes that partitions come between", async () => {
      await run({ nodeCount: 5, concurrency: 10, partitions: true });
    });
  },
);
