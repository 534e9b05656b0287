import { join } from "node:path";
import { LOG_METADATA_FILE } from "../../format/file-names.js";
import type { LogMetadata } from "../../format/log-metadata.js";
import type { LogEnvironment } from "../environment.js";
import { type Finding, finding } from "../finding.js";
import { damageIn, judgeReplaced, newestSegment } from "./judgement.js";
import { dataBeforeRoomOf, type LogSurvey } from "./log-survey.js";
import { flawFinding, type SegmentCheck, SegmentChecker } from "./segment-check.js";
import { scanTail } from "./tail-scan.js";

/**
 * Judges the end of a log as recovery would: what lies behind the last complete batch is a torn
 * tail that recovery cuts, unless something proves that it was once whole.
 */
export async function checkTail(
  environment: LogEnvironment,
  survey: LogSurvey,
  checks: readonly SegmentCheck[],
): Promise<Finding[]> {
  const { metadata, published, pending, directory } = survey;
  const last = checks.at(-1);
  if (last === undefined) {
    // After an interrupted truncation to the start it begins anew, without any.
    if (metadata === undefined || pending?.offset === metadata.startOffset) return [];
    const { endOffset } = metadata.end;
    const message = "the log's data files are missing";
    const lost = endOffset > metadata.startOffset ? [metadata.startOffset, endOffset] : undefined;
    return [
      {
        ...finding("damage", join(directory, LOG_METADATA_FILE), message, "salvage"),
        lost: lost as Finding["lost"],
      },
    ];
  }
  const { segment, header } = last.surveyed;
  const { path } = segment;
  const { complete } = last;
  const flaws = last.flaws.map((flaw) => flawFinding(path, flaw));
  const short = shortOf(survey, last) ?? (await replacedOf(survey, last));
  // An interrupted truncation goes through it, or right behind it: the rest is about to go.
  if (pending !== undefined && short === undefined) return [];
  const torn = last.endWithoutRoom - complete.endPosition;
  if (torn === 0) return short === undefined ? [] : [short];
  const isUnknown = metadata === undefined || header === undefined;
  if (isUnknown || short !== undefined || !(await isCut(environment, survey, last, metadata))) {
    // With flaws to show, that the log is short says more only if the flaws do not reach its end.
    if (short !== undefined && (flaws.length === 0 || short.lost !== undefined)) {
      return [...flaws, short];
    }
    if (flaws.length > 0) return flaws;
    if (published !== undefined) {
      const message = "the published end lies inside a batch";
      return [{ ...finding("damage", path, message, "salvage"), position: complete.endPosition }];
    }
  }
  const reason = last.flaws[0]?.reason ?? "the last batch is not complete";
  return [
    {
      ...finding(
        "warning",
        path,
        `torn tail: ${torn} bytes behind offset ${complete.endOffset} belong to no complete ` +
          `batch (${reason}). Recovery cuts them, keeping a copy, when the log is next opened ` +
          "for writing",
        "recovery",
      ),
      position: complete.endPosition,
    },
  ];
}

/**
 * Where a torn tail begins that recovery would cut, or `undefined` if the log has none: what a crash
 * left of a batch is no part of the log, whereas what damage left of one is.
 */
export async function tornTailPosition(
  environment: LogEnvironment,
  survey: LogSurvey,
): Promise<number | undefined> {
  const last = survey.segments.at(-1);
  if (last === undefined || survey.metadata === undefined) return undefined;
  const check = await new SegmentChecker(last, dataBeforeRoomOf(survey, last)).run(
    undefined,
    () => undefined,
  );
  const [found] = await checkTail(environment, survey, [check]);
  return found?.remedy === "recovery" ? found.position : undefined;
}

/** Whether recovery would take what lies behind the complete batches for a torn tail. */
async function isCut(
  environment: LogEnvironment,
  { published, lastPublished }: LogSurvey,
  { surveyed: { segment }, endWithoutRoom }: SegmentCheck,
  metadata: LogMetadata,
): Promise<boolean> {
  if (published !== undefined) return false;
  const scan = await scanTail(segment);
  if (scan.end.endPosition === endWithoutRoom) return false;
  const bootId = await environment.fileSystem.bootId();
  return damageIn(segment, scan, metadata, { bootId, published: lastPublished }) === undefined;
}

/** Whether the last segment is another file than the one that `log.meta` names. */
async function replacedOf(
  { metadata, published }: LogSurvey,
  { surveyed: { segment, header } }: SegmentCheck,
): Promise<Finding | undefined> {
  if (metadata === undefined || header === undefined || published !== undefined) return undefined;
  const error = await judgeReplaced(segment, header, metadata);
  if (error === undefined) return undefined;
  const { position, reason } = error;
  return { ...finding("damage", segment.path, reason, "salvage"), position };
}

/** Whether the log ends before what its metadata, or its living writer, says was there. */
function shortOf(survey: LogSurvey, last: SegmentCheck): Finding | undefined {
  const { metadata, published, lastPublished, pending } = survey;
  const proven = published ?? metadata?.end;
  if (proven === undefined) return undefined;
  const { segment } = last.surveyed;
  const { complete, reach } = last;
  const damage = (message: string): Finding => ({
    ...finding("damage", segment.path, message, "salvage"),
    position: complete.endPosition,
    lost: proven.endOffset > reach ? [reach, proven.endOffset] : undefined,
  });
  const newest =
    published?.activeBaseOffset ??
    (metadata === undefined ? 0 : newestSegment(metadata, pending, lastPublished));
  if (segment.baseOffset < newest) {
    return damage(`the segment behind it (base offset ${newest}) is missing`);
  }
  if (segment.baseOffset > proven.activeBaseOffset) return undefined;
  if (complete.endOffset >= proven.endOffset) return undefined;
  return damage(
    `the file ends before its data should: the log was on stable storage up to offset ` +
      `${proven.endOffset}`,
  );
}
