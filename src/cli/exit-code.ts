/** What the program's exit says. `docs/cli.md` and `seglog --help` promise these numbers. */
export const ExitCode = {
  /** Done; with `verify`, the data is sound. */
  ok: 0,
  /** The command ran and met damage, or cannot repair what it found. */
  damage: 1,
  /** The command could not run, or not to its end: bad usage, no access, locked, disk full. */
  failure: 2,
  /** Ended by Ctrl-C while following or appending. */
  interrupted: 130,
} as const;

/** The lines about exit codes in the help texts. */
export const EXIT_CODE_HELP = `Exit codes:
  0  done; nothing wrong was met
  1  damage was met (said on standard error, or in the output)
  2  could not run: bad usage, not found, no access, locked, disk full`;
