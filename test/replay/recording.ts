import { readFileSync } from "node:fs";
import type { Body } from "../maelstrom/history.js";

/** A message of the recording. */
export interface RecordedMessage {
  /** As it was recorded, without the end of the line. */
  readonly line: string;
  readonly client: string;
  readonly messageId: number;
  readonly body: Body;
}

/** Reads a file of recorded messages, one to a line. */
export function readRecording(path: string): RecordedMessage[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map(parse);
}

function parse(line: string): RecordedMessage {
  const { src, body } = JSON.parse(line);
  return { line, client: src, messageId: body.msg_id, body };
}
