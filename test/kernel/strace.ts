import { readFileSync } from "node:fs";

/** A call that strace saw come to its end. */
export interface TracedCall {
  readonly name: string;
  /** What follows the name, up to the end of the line. */
  readonly text: string;
  /** Path of the file that the call was for, where strace tells. */
  readonly path: string | undefined;
  /** Whether it failed because strace made it fail. */
  readonly isInjected: boolean;
}

/** A system call that is made to fail, as strace's `inject` understands it. */
export interface Injection {
  readonly call: string;
  readonly error: string;
  /** The first call of a thread that fails, and the last; Infinity for all from then on. */
  readonly first: number;
  readonly last: number;
}

/** A command line under which a program's calls fail, and are written to `output`. */
export function straceCommand(injections: readonly Injection[], output: string): string[] {
  const calls = injections.map(({ call }) => call);
  // What is synced, renamed and removed is always of interest.
  const traced = [...new Set([...calls, "fdatasync", "fsync"])].join(",");
  const rules = injections.map(({ call, error, first, last }) => {
    const when = last === Number.POSITIVE_INFINITY ? `${first}+` : `${first}..${last}`;
    return `--inject=${call}:error=${error}:when=${when}`;
  });
  return [
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-y",
    "-s",
    "1",
    `-etrace=${traced}`,
    ...rules,
    `-o${output}`,
  ];
}

/**
 * The environment in which `when` counts what it seems to count: it does so for each thread, so
 * all calls that are waited for must be made by one.
 */
export const ONE_THREAD: NodeJS.ProcessEnv = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };

/** Reads what strace wrote. */
export function readTrace(output: string): TracedCall[] {
  const begun = new Map<string, string>();
  return readFileSync(output, "utf8")
    .split("\n")
    .flatMap((line): TracedCall[] => {
      const match = /^(\d+) +(.*)$/.exec(line);
      if (match === null) return [];
      const [, thread = "", rest = ""] = match;
      if (rest.endsWith("<unfinished ...>")) {
        begun.set(thread, rest.slice(0, -"<unfinished ...>".length));
        return [];
      }
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
      const text = resumed === null ? rest : `${begun.get(thread) ?? ""}${resumed[1]}`;
      const call = /^(\w+)\((.*)$/.exec(text);
      if (call === null) return [];
      const path = /^\d+<([^>]*)>/.exec(call[2]!)?.[1];
      return [{ name: call[1]!, text: call[2]!, path, isInjected: text.endsWith("(INJECTED)") }];
    });
}
