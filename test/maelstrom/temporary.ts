import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { builtNode, NodeProcess } from "./node-process.js";

/** The node program, as the global setup of the tests built it. */
export const PROGRAM = builtNode(new URL("../../", import.meta.url));

/** A new, empty directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "seglog-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts the node program; it goes away with the test. */
export function startNode(...args: readonly string[]): NodeProcess {
  const node = new NodeProcess(PROGRAM, args);
  onTestFinished(async () => {
    await node.kill();
  });
  return node;
}

/** Starts a node on `dataDirectory` and introduces it to its network. */
export async function startInitialized(dataDirectory: string): Promise<NodeProcess> {
  const node = startNode("--data-dir", dataDirectory);
  await node.init();
  return node;
}
