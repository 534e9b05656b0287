import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { seglog } from "../cli/program.js";
import { EVIL } from "../cli/samples.js";
import { forge, forgery } from "./forgery.js";
import { mutate, mutation } from "./mutation.js";
import { SEED, timeLimit, tries } from "./runs.js";
import { scratchDirectory } from "./scratch.js";
import { seal } from "./seal.js";
import { collectSpecimens, readTree, writeTree } from "./specimens.js";

const specimens = await collectSpecimens();
const scratch = scratchDirectory();
afterAll(() => scratch.remove());

/** The directory that commands are about: its name, too, is nothing for a terminal. */
const SUBJECT = `subject ${EVIL}`;

/** What a terminal obeys or hides; line feeds end the program's own lines. */
const UNSAFE = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Runs a command that only reads, and holds it to what every command promises. */
async function check(args: readonly string[]): Promise<number | null> {
  const { code, bytes, err } = await seglog(scratch.path, args);
  const out = bytes.toString();
  const told = `${JSON.stringify(args)} gave ${code}, ${JSON.stringify(err)}`;
  expect([0, 1, 2], told).toContain(code);
  expect(Buffer.from(out).equals(bytes), `${told}: not UTF-8`).toBe(true);
  expect(UNSAFE.exec(out)?.[0], `${told}: ${JSON.stringify(out)}`).toBeUndefined();
  expect(UNSAFE.exec(err)?.[0], told).toBeUndefined();
  expect(err, told).toMatch(/^(seglog: [^\n]*\n)*$/);
  // An untyped failure; a `RangeError` is taken for a slip on the command line.
  expect(err, told).not.toMatch(/INTERNAL|USAGE|ERR_|TypeError|RangeError|IO_ERROR|\n {4}at /);
  if (code === 2) expect(err, told).not.toBe("");
  if (args.includes("--json") && code !== 2) expect(() => JSON.parse(out), told).not.toThrow();
  return code;
}

/** Every command that reads. */
function commandsFor(kind: "log" | "store", files: readonly string[]): string[][] {
  const own = [
    ["verify", SUBJECT],
    ["verify", SUBJECT, "--json"],
    ["inspect", SUBJECT],
    ["inspect", SUBJECT, "--json"],
    ["repair", "--dry-run", SUBJECT],
    ...files.flatMap((file) => [["dump", join(SUBJECT, file), "--records"]]),
  ];
  if (kind === "log") return [...own, ...recordCommands([])];
  return [
    ...own,
    ["offsets", SUBJECT],
    ["offsets", SUBJECT, "--json"],
    ["inspect", SUBJECT, "--key", "plain"],
    ...["plain", "a", EVIL, "orders"].flatMap((key) => recordCommands(["--key", key])),
  ];
}

function recordCommands(key: readonly string[]): string[][] {
  return [
    ["cat", SUBJECT, ...key],
    ["cat", SUBJECT, ...key, "--format", "hex", "--limit", "5"],
    ["cat", SUBJECT, ...key, "--format", "json"],
    ["verify", SUBJECT, ...key],
  ];
}

const isDumped = (name: string) =>
  /^[0-9]{20}\.|^(log|store)\.meta$|^published$|^committed/.test(basename(name));

describe(`commands on hostile directories (seed ${SEED})`, () => {
  const exits = new Map<number | null, number>();

  it("show what they can, change nothing, and print nothing raw", {
    timeout: timeLimit(15_000),
  }, async () => {
    const choice = fc.tuple(forgery, fc.array(fc.nat(), { minLength: 3, maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(choice, async ([what, chosen]) => {
        const { kind, files } = forge(specimens, what);
        const directory = join(scratch.path, SUBJECT);
        writeTree(directory, files);
        const before = readTree(directory);
        const commands = commandsFor(kind, [...files.keys()].filter(isDumped));
        for (const each of chosen) {
          const code = await check(commands[each % commands.length]!);
          exits.set(code, (exits.get(code) ?? 0) + 1);
        }
        expect(readTree(directory)).toEqual(before);
      }),
      tries(150),
    );
    expect([...exits.keys()].sort(), "exit codes that were seen").toEqual([0, 1, 2]);
  });

  it("do so on sound ones, every command", { timeout: timeLimit(10_000) }, async () => {
    for (const { kind, files } of specimens) {
      writeTree(join(scratch.path, SUBJECT), files);
      for (const args of commandsFor(kind, [...files.keys()].filter(isDumped))) await check(args);
    }
  });

  it("take any file apart", { timeout: timeLimit(5_000) }, async () => {
    const all = specimens.flatMap(({ files }) => [...files]);
    const names = [...new Set(all.map(([name]) => basename(name)).filter(isDumped))];
    const content = fc.oneof(
      fc.record({ bytes: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({
        file: fc.nat(),
        mutations: fc.array(mutation, { maxLength: 3 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(), content, async (name, what) => {
        const directory = join(scratch.path, "any");
        rmSync(directory, { recursive: true, force: true });
        mkdirSync(directory);
        const file = join("any", names[name % names.length]!);
        const original = "bytes" in what ? undefined : all[what.file % all.length]!;
        const bytes =
          "bytes" in what
            ? Buffer.from(what.bytes)
            : mutate(original![1], what.mutations, original![1]);
        seal(file, bytes, { positions: true, chain: true });
        writeFileSync(join(scratch.path, file), bytes);
        await check(["dump", file, "--records"]);
      }),
      tries(200),
    );
  });
});
