const undo = new Set<() => void>();

/**
 * Has something undone when this process ends, also by a signal: a child ended, a file system
 * unmounted. What was registered last is undone first.
 *
 * @param run - Synchronous.
 * @returns Takes it back, when it has been undone.
 */
export function atExit(run: () => void): () => void {
  undo.add(run);
  return () => undo.delete(run);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

process.on("exit", () => {
  for (const run of [...undo].reverse()) {
    try {
      run();
    } catch (error) {
      console.error(`while cleaning up: ${(error as Error).message}`);
    }
  }
});
