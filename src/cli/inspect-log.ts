import { basename } from "node:path";
import { SeglogError } from "../errors.js";
import { isMissing } from "../files/file-errors.js";
import { runSteps } from "../files/steps.js";
import { CommitLog } from "../index.js";
import type { LogEnvironment } from "../log/environment.js";
import { checkFiles } from "../log/recovery/link-check.js";
import {
  type LogSurvey,
  type SurveyedSegment,
  startOf,
  surveyLog,
} from "../log/recovery/log-survey.js";
import { type IndexSummary, readSummary, rebuildIndex } from "../segment/index-loading.js";
import type { CommandContext } from "./context.js";
import { damageText, isDamage } from "./damage.js";
import { count, formatBytes, formatTime, hex, renderTable } from "./display.js";
import { escapeText } from "./escape.js";
import { ExitCode } from "./exit-code.js";

/** One segment as `inspect` shows it; `null` stands for what cannot be known. */
export interface SegmentDescription {
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number | null;
  readonly state: "sealed" | "active" | "damaged";
  readonly bytes: number;
  readonly records: number | null;
  readonly batches: number | null;
  readonly blocks: number | null;
  /** Bytes of the bodies when not compressed. */
  readonly uncompressedBytes: number | null;
  readonly minTimestamp: number | null;
  readonly maxTimestamp: number | null;
  /** Of the offset index; `null` without a usable index file. */
  readonly indexEntries: number | null;
}

/** A log as `inspect` shows it. */
export interface LogDescription {
  readonly kind: "log";
  readonly directory: string;
  readonly id: string | null;
  readonly epoch: number | null;
  readonly startOffset: number;
  readonly endOffset: number | null;
  /** Of the data files, as far as readers see them. */
  readonly bytes: number;
  readonly state: "open for writing" | "closed cleanly" | "not closed cleanly" | "damaged";
  readonly inStore: boolean;
  /** Records behind those of the segments that stand in the journal of the store. */
  readonly journaled: number;
  readonly damage: readonly string[];
  /** Files that keep what recoveries cut off. */
  readonly cutFiles: readonly string[];
  readonly temporaryFiles: readonly string[];
  readonly segments: readonly SegmentDescription[];
}

/** A living writer may delete segments while they are looked at; it does so rarely. */
const MAX_ATTEMPTS = 5;

/** Looks at a log, damaged or not; damage that it meets sets the exit code. */
export async function describeLog(
  context: CommandContext,
  directory: string,
): Promise<LogDescription> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await lookAt(context, directory);
    } catch (error) {
      const isMoving =
        isMissing(error) || (error instanceof SeglogError && error.code === "LOG_TRUNCATED");
      if (!isMoving || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function lookAt(context: CommandContext, directory: string): Promise<LogDescription> {
  const survey = await surveyLog(context.environment, directory);
  const damage = damageOf(survey);
  const segments: SegmentDescription[] = [];
  for (const surveyed of survey.segments) segments.push(await describeSegment(survey, surveyed));
  const endOffset = await findEnd(context.environment, directory, damage);
  if (damage.length > 0) context.exitCode = ExitCode.damage;
  const { metadata, listing } = survey;
  const segmentsEnd = segments.at(-1)?.endOffset ?? startOf(survey);
  const header = survey.segments.find((each) => each.header !== undefined)?.header;
  const id = metadata?.logId ?? header?.logId;
  return {
    kind: "log",
    directory,
    id: id === undefined ? null : hex(id),
    epoch: survey.published?.epoch ?? metadata?.epoch ?? null,
    startOffset: startOf(survey),
    endOffset,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    state: stateOf(survey, damage),
    inStore: metadata?.storeId !== undefined,
    // A log without a store is read by its segments alone.
    journaled: metadata?.storeId === undefined ? 0 : Math.max((endOffset ?? 0) - segmentsEnd, 0),
    damage,
    cutFiles: listing.cutFiles,
    temporaryFiles: survey.hasWriter ? [] : [...listing.temporaryFiles, ...survey.superseded],
    segments,
  };
}

/** What the names and headers of the files tell, without reading data. */
function damageOf(survey: LogSurvey): string[] {
  const damage = checkFiles(survey)
    .filter(({ level }) => level === "damage")
    .map(({ file, message }) => `${basename(file)}: ${message}`);
  let before: SurveyedSegment | undefined;
  for (const surveyed of survey.segments) {
    const { segment, header, fault } = surveyed;
    const missing = header?.predecessor?.baseOffset ?? -1;
    if (fault !== undefined) {
      damage.push(`${basename(segment.path)}: ${fault}`);
    } else if (before !== undefined && missing !== before.segment.baseOffset) {
      damage.push(`${basename(segment.path)}: the segment before it is missing`);
    }
    before = surveyed;
  }
  return damage;
}

function stateOf(survey: LogSurvey, damage: readonly string[]): LogDescription["state"] {
  if (survey.published !== undefined) return "open for writing";
  if (damage.length > 0) return "damaged";
  return survey.metadata?.clean === true ? "closed cleanly" : "not closed cleanly";
}

/** The end that readers see; notes damage that keeps readers out. */
async function findEnd(
  environment: LogEnvironment,
  directory: string,
  damage: string[],
): Promise<number | null> {
  try {
    await using log = await CommitLog.openOn(environment, directory, { readOnly: true });
    await log.refresh();
    return log.endOffset;
  } catch (error) {
    if (!isDamage(error)) throw error;
    // What is known already keeps readers out, and need not be said twice.
    if (damage.length === 0) damage.push(damageText(error));
    return null;
  }
}

async function describeSegment(
  survey: LogSurvey,
  surveyed: SurveyedSegment,
): Promise<SegmentDescription> {
  const { segment, header, endPosition } = surveyed;
  const next = survey.segments[survey.segments.indexOf(surveyed) + 1];
  const saved = header === undefined ? undefined : await runSteps(readSummary(segment));
  const summary = saved?.summary ?? (await scan(surveyed))?.summary;
  const isEmpty = summary === undefined || summary.records === 0;
  return {
    baseOffset: segment.baseOffset,
    endOffset: summary?.endOffset ?? next?.segment.baseOffset ?? null,
    state: header === undefined ? "damaged" : next === undefined ? "active" : "sealed",
    bytes: endPosition,
    records: summary?.records ?? null,
    batches: summary?.batches ?? null,
    blocks: summary?.blocks ?? null,
    uncompressedBytes: summary?.bodyBytes ?? null,
    minTimestamp: isEmpty ? null : summary.minTimestamp,
    maxTimestamp: isEmpty ? null : summary.maxTimestamp,
    indexEntries: saved?.offsetEntries ?? null,
  };
}

/** Without a usable index file the data itself has to be read. */
async function scan({
  segment,
  header,
}: SurveyedSegment): Promise<Pick<IndexSummary, "summary"> | undefined> {
  return header === undefined ? undefined : runSteps(rebuildIndex(segment));
}

/** The same for people. */
export function logAsText(log: LogDescription, raw: boolean): string {
  const safe = raw ? (text: string) => text : escapeText;
  const end = log.endOffset ?? "unknown";
  const lines = [
    `log ${safe(log.directory)}`,
    `  id       ${log.id ?? "unknown"}, epoch ${log.epoch ?? "unknown"}`,
    `  offsets  start ${log.startOffset}, end ${end}`,
    `  size     ${formatBytes(log.bytes)}`,
    `  state    ${log.state}${log.inStore ? ", belongs to a store" : ""}`,
    ...(log.journaled === 0
      ? []
      : [
          `  journal  ${count(log.journaled, "record")} of the store's journal behind the segments`,
        ]),
    ...log.damage.map((text) => `  damage   ${safe(text)}`),
    ...log.cutFiles.map((name) => `  cut off  ${safe(name)} keeps what a recovery cut`),
    ...log.temporaryFiles.map((name) => `  left     ${safe(name)}, of an interrupted operation`),
  ];
  const table = renderTable(
    [
      ["base", "right"],
      ["end", "right"],
      ["records", "right"],
      ["bytes", "right"],
      ["ratio", "right"],
      ["from", "left"],
      ["to", "left"],
      ["index", "right"],
      ["state", "left"],
    ],
    log.segments.map(segmentRow),
  );
  return `${lines.join("\n")}\n\n${table}`;
}

function segmentRow(segment: SegmentDescription): string[] {
  const { uncompressedBytes, bytes, blocks } = segment;
  // Headers are not compressed: 80 bytes for the segment, 80 for each block.
  const stored = bytes - 80 * ((blocks ?? 0) + 1);
  const ratio =
    uncompressedBytes === null || uncompressedBytes === 0 || stored <= 0
      ? "-"
      : (uncompressedBytes / stored).toFixed(2);
  const time = (timestamp: number | null) => (timestamp === null ? "-" : formatTime(timestamp));
  return [
    String(segment.baseOffset),
    String(segment.endOffset ?? "?"),
    String(segment.records ?? "?"),
    String(bytes),
    ratio,
    time(segment.minTimestamp),
    time(segment.maxTimestamp),
    String(segment.indexEntries ?? "none"),
    segment.state,
  ];
}
