import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** What a hostile user may put where a file or a directory of seglog belongs. */
export const OBSTACLES = ["link", "dangling link", "pipe", "directory"] as const;
export type Obstacle = (typeof OBSTACLES)[number];

/**
 * Puts something else in the place of what is at `path`, if anything is.
 *
 * @returns Throws if what a link leads to was touched, or made.
 */
export function obstruct(path: string, obstacle: Obstacle): () => void {
  const outside = temporaryDirectory();
  const target = join(outside, "target");
  if (existsSync(path)) cpSync(path, target, { recursive: true });
  else writeFileSync(target, "untouched");
  const before = contentOf(target);
  rmSync(path, { recursive: true, force: true });
  if (obstacle === "link") symlinkSync(target, path);
  else if (obstacle === "dangling link") symlinkSync(join(outside, "nothing"), path);
  else if (obstacle === "pipe") execFileSync("mkfifo", [path]);
  else mkdirSync(path);
  return () => {
    expect(existsSync(join(outside, "nothing"))).toBe(false);
    expect(contentOf(target)).toEqual(before);
  };
}

/** What a file holds, or every file below a directory. */
function contentOf(path: string): unknown {
  if (!lstatSync(path).isDirectory()) return readFileSync(path);
  return execFileSync("find", [path, "-type", "f", "-exec", "cksum", "{}", "+"]).toString();
}
