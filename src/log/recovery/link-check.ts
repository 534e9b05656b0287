import { join } from "node:path";
import { LOG_METADATA_FILE } from "../../format/file-names.js";
import { SEGMENT_HEADER_BYTES } from "../../format/segment-header.js";
import type { IndexVerdict } from "../../segment/index-check.js";
import { type Finding, finding } from "../finding.js";
import { FOREIGN_SEGMENT, type LogSurvey, type SurveyedSegment, startOf } from "./log-survey.js";
import { flawFinding, type SegmentCheck } from "./segment-check.js";

/** What the directory and `log.meta` say, before any data is read. */
export function checkFiles(survey: LogSurvey): Finding[] {
  const { directory, listing, metadata, metadataFault, segments } = survey;
  const findings: Finding[] = [];
  const path = (name: string) => join(directory, name);
  if (metadataFault !== undefined) {
    const message = "the making of this log was interrupted; the next writer completes it";
    const [only] = segments;
    const isBegun = !listing.hasMetadata && segments.length === 1 && only?.segment.baseOffset === 0;
    findings.push(
      isBegun && only.fileBytes <= SEGMENT_HEADER_BYTES
        ? finding("warning", path(LOG_METADATA_FILE), message, "recovery")
        : finding("damage", path(LOG_METADATA_FILE), metadataFault, "salvage"),
    );
  }
  for (const name of listing.cutFiles) {
    findings.push(finding("note", path(name), "keeps bytes that a recovery cut off", "none"));
  }
  for (const name of survey.hasWriter ? [] : listing.temporaryFiles) {
    const message = "left over by an interrupted operation, removed by the next writer";
    findings.push(finding("note", path(name), message, "recovery"));
  }
  for (const name of survey.hasWriter ? [] : listing.strayIndexFiles) {
    const message = "an index without its data file, removed by the next writer";
    findings.push(finding("warning", path(name), message, "recovery"));
  }
  for (const name of survey.hasWriter ? [] : survey.superseded) {
    const message = "no longer part of the log, removed by the next writer";
    findings.push(finding("note", path(name), message, "recovery"));
  }
  for (const name of listing.foreignNames) {
    findings.push(finding("note", path(name), "is not a file of seglog", "none"));
  }
  if (survey.pending !== undefined) {
    const message = "a truncation was interrupted; the next writer completes it";
    findings.push(finding("warning", path(LOG_METADATA_FILE), message, "recovery"));
  }
  findings.push(...checkIdentity(survey));
  const first = segments[0]?.segment;
  const start = startOf(survey);
  if (metadata !== undefined && first !== undefined && first.baseOffset > start) {
    findings.push({
      ...finding("damage", first.path, "the segment before this one is missing", "salvage"),
      lost: [start, first.baseOffset],
    });
  }
  return findings;
}

/** Whether `log.meta` can be that of this log as it is now. */
function checkIdentity({ directory, metadata, published, segments }: LogSurvey): Finding[] {
  if (metadata === undefined) return [];
  const path = join(directory, LOG_METADATA_FILE);
  const damage = (message: string) => [finding("damage", path, message, "salvage")];
  if (segments.length > 0 && segments.every(({ fault }) => fault === FOREIGN_SEGMENT)) {
    return damage("it is of another log than all of the data files");
  }
  if (published !== undefined) return [];
  const newest = Math.max(...segments.map(({ header }) => header?.epoch ?? 0));
  if (newest <= metadata.epoch) return [];
  return damage(`it is of epoch ${metadata.epoch}, older than epoch ${newest} of a data file`);
}

/** Whether a segment is what its name says, and the successor of the one before it. */
export function checkLink(
  survey: LogSurvey,
  before: SegmentCheck | undefined,
  check: SegmentCheck,
): Finding[] {
  const { segment, header, fault } = check.surveyed;
  const damage = (message: string, lost?: Finding["lost"]): Finding => ({
    ...finding("damage", segment.path, message, "salvage"),
    position: 0,
    lost,
  });
  if (header === undefined) {
    const rest = check.surveyed.source === undefined ? "; nothing in it can be read" : "";
    return [damage(`${fault}${rest}`)];
  }
  const epoch = survey.published?.epoch ?? survey.metadata?.epoch;
  if (epoch !== undefined && header.epoch > epoch) {
    return [damage(`it is of epoch ${header.epoch}, but the log only of epoch ${epoch}`)];
  }
  if (before === undefined) return [];
  const { segment: previous, header: previousHeader } = before.surveyed;
  if (header.predecessor?.baseOffset !== previous.baseOffset) {
    const missing = header.predecessor?.baseOffset;
    return missing === undefined || missing < previous.baseOffset
      ? [damage("it does not follow the segment before it")]
      : [
          damage(`the segment before it (base offset ${missing}) is missing`, [
            before.reach,
            segment.baseOffset,
          ]),
        ];
  }
  const { headerChecksum } = header.predecessor;
  if (previousHeader !== undefined && headerChecksum !== 0) {
    if (headerChecksum !== previousHeader.checksum) {
      const message = `it is not the file that the segment of base offset ${segment.baseOffset} followed`;
      const lost = [previous.baseOffset, segment.baseOffset] as const;
      return [{ ...finding("damage", previous.path, message, "salvage"), position: 0, lost }];
    }
  }
  if (before.chain !== undefined && header.predecessor.checksum !== before.chain) {
    const message = `it does not end with the block that the next segment names`;
    const lost = [before.reach, segment.baseOffset] as const;
    return [
      {
        ...finding("damage", previous.path, message, "salvage"),
        position: before.surveyed.endPosition,
        lost: lost[0] < lost[1] ? lost : undefined,
      },
    ];
  }
  if (header.baseOffset < before.reach) return [damage("its offsets overlap with those before")];
  if (previousHeader !== undefined && header.epoch < previousHeader.epoch) {
    return [damage("its epoch is older than that of the segment before it")];
  }
  if (before.flaws.length > 0 || header.baseOffset === before.reach) return [];
  return [holeNote(check.surveyed, before.reach, header.baseOffset)];
}

/** Every flaw of a sealed segment is damage. */
export function sealedFindings(check: SegmentCheck): Finding[] {
  const { path } = check.surveyed.segment;
  const findings = check.flaws.map((flaw) => flawFinding(path, flaw));
  if (check.endsInsideBatch && check.flaws.length === 0) {
    const message = "the segment ends inside a batch";
    const position = check.complete.endPosition;
    findings.push({ ...finding("damage", path, message, "salvage"), position });
  }
  return findings;
}

/** A gap between offsets that is no damage. */
export function holeNote({ segment }: SurveyedSegment, from: number, to: number): Finding {
  const message = `no record has the offsets ${from} to ${to - 1}: a salvage left them out`;
  return finding("note", segment.path, message, "none");
}

/** An active segment has no index files of its own until it is sealed or closed. */
export function judgeIndex(verdict: IndexVerdict, isSettled: boolean, isLast: boolean): Finding[] {
  const { path, state, reason } = verdict;
  if (state === "sound") return [];
  if (state === "false") {
    const message = `${reason}; its checksum holds, so readers believe it`;
    return [finding("damage", path, message, "index")];
  }
  if (!isSettled || (isLast && state === "missing")) return [];
  return [finding("warning", path, `${reason}; readers build it anew from the data`, "index")];
}
