import { SeglogError } from "../../errors.js";
import { isMissing } from "../../files/file-errors.js";
import { IndexCheck } from "../../segment/index-check.js";
import type { LogEnvironment } from "../environment.js";
import type { Finding } from "../finding.js";
import {
  checkFiles,
  checkLink,
  holeNote,
  judgeIndex,
  sealedFindings,
} from "../recovery/link-check.js";
import {
  closeSurvey,
  dataBeforeRoomOf,
  type LogSurvey,
  type SurveyedSegment,
  startOf,
  surveyLog,
} from "../recovery/log-survey.js";
import { type SegmentCheck, SegmentChecker } from "../recovery/segment-check.js";
import { checkTail } from "../recovery/tail-check.js";

/** A writer beside this may truncate or delete while the files are read; it does so rarely. */
const MAX_ATTEMPTS = 5;

/** The result of {@link verifyLog}. */
export interface LogVerification {
  readonly survey: LogSurvey;
  readonly checks: readonly SegmentCheck[];
  readonly findings: readonly Finding[];
  /** Base offsets of the segments whose data is sound and whose index files are not. */
  readonly unsoundIndexes: readonly number[];
  readonly startOffset: number;
  /** One past the last offset of a complete batch, or of what damage is known to hide. */
  readonly endOffset: number;
  readonly records: number;
  readonly bytes: number;
}

/**
 * Reads all of a log: every checksum, every record, the chain within and across segments, offsets,
 * metadata, and both index files of each segment against the data. Takes no lock and changes
 * nothing. Beside a living writer it reads up to the end that this has published.
 *
 * @param onBytes - Told how many bytes of data were read since the last call.
 * @throws SeglogError `NOT_A_LOG`, `UNSUPPORTED_FORMAT`, `FILE_ACCESS`; `LOG_TRUNCATED` if the log
 *   keeps changing under the scan.
 */
export async function verifyLog(
  environment: LogEnvironment,
  directory: string,
  onBytes: (count: number) => void = () => undefined,
): Promise<LogVerification> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const survey = await surveyLog(environment, directory);
    let result: LogVerification | undefined;
    try {
      result = await verifySurvey(environment, survey, onBytes);
    } catch (error) {
      if (!isMissing(error)) throw error;
    } finally {
      await closeSurvey(survey);
    }
    if (result?.findings.every(({ level }) => level !== "damage")) {
      return result;
    }
    // What looks like damage may be a writer that moved a bound meanwhile.
    const again = await surveyLog(environment, directory);
    await closeSurvey(again);
    if (result !== undefined && isSame(survey, again)) return result;
  }
  throw new SeglogError(
    "LOG_TRUNCATED",
    `${directory} was changed again and again while it was read. Try again.`,
  );
}

function isSame(one: LogSurvey, other: LogSurvey): boolean {
  const identity = ({ metadata, published, hasWriter, segments }: LogSurvey) =>
    JSON.stringify([
      hasWriter,
      published?.epoch ?? metadata?.epoch,
      published?.startOffset ?? metadata?.startOffset,
      published === undefined ? metadata?.revision : undefined,
      published === undefined ? segments.map(({ fileBytes }) => fileBytes) : [],
    ]);
  return identity(one) === identity(other);
}

async function verifySurvey(
  environment: LogEnvironment,
  survey: LogSurvey,
  onBytes: (count: number) => void,
): Promise<LogVerification> {
  const findings: Finding[] = [...checkFiles(survey)];
  const checks: SegmentCheck[] = [];
  const unsoundIndexes: number[] = [];
  const bound = survey.pending;
  for (const surveyed of survey.segments) {
    const isLast = surveyed === survey.segments.at(-1);
    const indexes = await readIndexes(environment, surveyed);
    const checker = new SegmentChecker(surveyed, dataBeforeRoomOf(survey, surveyed));
    const check = await checker.run(indexes, onBytes);
    findings.push(...checkLink(survey, checks.at(-1), check));
    if (!isLast) findings.push(...sealedFindings(check));
    checks.push(check);
    if (indexes !== undefined && check.flaws.length === 0 && check.summary !== undefined) {
      // A living writer makes and deletes index files while this reads.
      const isSettled = !survey.hasWriter && (!isLast || survey.metadata?.clean === true);
      const verdicts = indexes.verdicts(check.summary);
      const told = verdicts.flatMap((verdict) => judgeIndex(verdict, isSettled, isLast));
      findings.push(...told);
      if (told.length > 0) unsoundIndexes.push(surveyed.segment.baseOffset);
    }
    for (const [from, to] of check.holes) {
      if (to > startOf(survey)) findings.push(holeNote(surveyed, from, to));
    }
  }
  const tail = await checkTail(environment, survey, checks);
  findings.push(...tail);
  const last = checks.at(-1);
  // Damage at the end hides records that are known to be there; a torn tail never held any.
  const isDamaged = tail.some(({ level }) => level === "damage");
  const found = isDamaged
    ? Math.max(last?.reach ?? 0, survey.metadata?.end.endOffset ?? 0)
    : (last?.complete.endOffset ?? bound?.offset ?? 0);
  const end = survey.published?.endOffset ?? found;
  return {
    survey,
    checks,
    findings,
    unsoundIndexes,
    startOffset: startOf(survey),
    endOffset: Math.min(end, bound?.offset ?? Number.POSITIVE_INFINITY),
    records: checks.reduce((total, check) => total + check.records, 0),
    bytes: checks.reduce((total, { surveyed }) => total + surveyed.endPosition, 0),
  };
}

async function readIndexes(
  environment: LogEnvironment,
  { segment, fileBytes, header }: SurveyedSegment,
): Promise<IndexCheck | undefined> {
  if (header === undefined) return undefined;
  const offsetIndex = segment.indexPath("offsetIndex");
  const paths = { offsetIndex, timeIndex: segment.indexPath("timeIndex") };
  return IndexCheck.read(environment.fileSystem, paths, segment.baseOffset, fileBytes);
}
