import { relative } from "node:path";
import type { Finding } from "../log/finding.js";
import { count, offsetRange } from "./display.js";
import { escapeText } from "./escape.js";

/** One finding as a line: level, file relative to the directory, position, what is the matter. */
export function findingLine(directory: string, found: Finding): string {
  const { level, file, position, message, lost } = found;
  const name = relative(directory, file) || ".";
  const at = position === undefined ? "" : ` at ${position}`;
  const gone = lost === undefined ? "" : `; ${offsetRange(...lost)} cannot be read`;
  return escapeText(`${level.padEnd(7)}  ${name}${at}: ${message}${gone}`);
}

/** `sound`, `sound, with 2 warnings`, `DAMAGED in 3 places`. */
export function verdict(findings: readonly Finding[]): string {
  const number = (level: Finding["level"]) =>
    findings.filter((found) => found.level === level).length;
  const damage = number("damage");
  const warnings = number("warning");
  const more = warnings === 0 ? "" : `, with ${count(warnings, "warning")}`;
  return damage === 0 ? `sound${more}` : `DAMAGED in ${count(damage, "place")}${more}`;
}

/** Whether any of them is damage. */
export function hasDamage(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === "damage");
}
