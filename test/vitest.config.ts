import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: {
    // Tests that import the package by its name see the sources, not the last build.
    alias: {
      "seglog/client": fileURLToPath(new URL("../src/client/index.ts", import.meta.url)),
      "seglog/server": fileURLToPath(new URL("../src/server/index.ts", import.meta.url)),
      seglog: fileURLToPath(new URL("../src/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/build-dist.ts"],
    // Processes, not threads: file locks and the process's exit belong to a process.
    pool: "forks",
    // Tests allocate much that lives briefly; more room for it saves a tenth of their time.
    execArgv: ["--max-semi-space-size=32"],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
