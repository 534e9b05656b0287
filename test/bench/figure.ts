import type { Spread } from "./result.js";

/** A figure as people read it: three digits or so. */
export function figureText(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The middle figure, and in parentheses the least and the greatest. */
export function spreadText({ median, min, max }: Spread, unit: string): string {
  return `${figureText(median)}${unit} (${figureText(min)}-${figureText(max)})`;
}
