import { figureText } from "./figure.js";
import { spreadOf, type WorkloadResult } from "./result.js";
import { isLessBetter } from "./unit.js";
import type { ContenderKind } from "./workload.js";

/** All in pixels. */
const WIDTH = 900;
const MARGIN = 20;
/** Where labels end and bars begin. */
const BARS_LEFT = 250;
/** Where the longest bar ends, with room for its figure. */
const BARS_RIGHT = 760;
const GAP = 8;
const LEGEND_HEIGHT = 50;
const TITLE_HEIGHT = 34;
const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
/** From the top of a row to the line that its text stands on. */
const BASELINE = 15;

const COLOURS: Readonly<Record<ContenderKind, string>> = {
  seglog: "#2563eb",
  limit: "#9ca3af",
  peer: "#d97706",
};
const LEGEND: Readonly<Record<ContenderKind, string>> = {
  seglog: "seglog",
  limit: "a bare limit of the machine",
  peer: "another product",
};
/** For who cannot see it. */
const TITLE = "Middle figures of the workloads in which seglog was measured beside other products";
const TEXT_COLOUR = "#1f2937";

interface Bar {
  readonly name: string;
  readonly kind: ContenderKind;
  readonly value: number;
}

/**
 * Draws the middle figures of all workloads in which seglog was measured beside other products, as
 * an SVG image: horizontal bars, each workload by a scale of its own.
 */
export function toSvg(results: readonly WorkloadResult[]): string {
  const drawn = results.filter(hasPeers);
  let height = LEGEND_HEIGHT;
  const groups = drawn.map((result) => {
    const bars = barsOf(result);
    const group = drawWorkload(result, bars, height);
    height += TITLE_HEIGHT + bars.length * ROW_HEIGHT;
    return group;
  });
  height += MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" ` +
      `fill="${TEXT_COLOUR}">`,
    `<title>${TITLE}</title>`,
    // Pages may be dark.
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    drawLegend(),
    ...groups,
    "</svg>",
    "",
  ].join("\n");
}

function hasPeers({ workload, contenders }: WorkloadResult): boolean {
  return workload.contenders.some(
    ({ kind }, index) => kind === "peer" && contenders[index]!.missing === undefined,
  );
}

function barsOf({ workload, contenders }: WorkloadResult): Bar[] {
  return workload.contenders.flatMap(({ name, kind }, index) => {
    const { runs, missing } = contenders[index]!;
    if (missing !== undefined) return [];
    return [{ name, kind, value: spreadOf(runs.map(({ measured }) => measured)).median }];
  });
}

function drawLegend(): string {
  const kinds = Object.keys(LEGEND) as ContenderKind[];
  return kinds
    .map((kind, index) => {
      const left = BARS_LEFT + index * 210;
      return (
        `<rect x="${left}" y="${MARGIN}" width="${BAR_HEIGHT}" height="${BAR_HEIGHT}" ` +
        `fill="${COLOURS[kind]}"/>` +
        `<text x="${left + BAR_HEIGHT + GAP}" y="${MARGIN + 12}">${escapeText(LEGEND[kind])}</text>`
      );
    })
    .join("\n");
}

function drawWorkload({ workload }: WorkloadResult, bars: readonly Bar[], top: number): string {
  const { title, unit } = workload;
  const better = isLessBetter(unit) ? "less" : "more";
  const longest = Math.max(...bars.map(({ value }) => value));
  return [
    `<text x="${MARGIN}" y="${top + 24}" font-size="15" font-weight="bold">${escapeText(title)} ` +
      `<tspan font-size="12" font-weight="normal">` +
      `${escapeText(unit)}, ${better} is better</tspan></text>`,
    ...bars.map((bar, index) => drawBar(bar, longest, top + TITLE_HEIGHT + index * ROW_HEIGHT)),
  ].join("\n");
}

function drawBar({ name, kind, value }: Bar, longest: number, top: number): string {
  const share = longest === 0 ? 0 : value / longest;
  const width = Math.max(1, Math.round(share * (BARS_RIGHT - BARS_LEFT)));
  const y = top + (ROW_HEIGHT - BAR_HEIGHT) / 2;
  const baseline = top + BASELINE;
  return (
    `<text x="${BARS_LEFT - GAP}" y="${baseline}" text-anchor="end">${escapeText(name)}</text>` +
    `<rect x="${BARS_LEFT}" y="${y}" width="${width}" height="${BAR_HEIGHT}" ` +
    `fill="${COLOURS[kind]}"/>` +
    `<text x="${BARS_LEFT + width + GAP}" y="${baseline}">${escapeText(figureText(value))}</text>`
  );
}

/** Text as it stands in an element or an attribute. */
function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
