import { readKey, readKeys, readOffsets } from "../request-body.js";
import { isObject, JsonText } from "../runtime/json.js";
import { show } from "../runtime/log-text.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";
import { memberText } from "../runtime/member-text.js";
import type { Body, Content, Request } from "../runtime/protocol.js";

/** How the requests of one type are taken apart by keys, and their answers put together. */
export interface Partition {
  /**
   * The keys that a request is about. Throws MaelstromError `malformedRequest` if anything is wrong
   * with any of them: otherwise the owners of the others would do their part.
   */
  readonly keysOf: (request: Request) => readonly string[];
  /** What of a request is about some of its keys. */
  readonly partOf: (request: Request, keys: readonly string[]) => Body;
  /** The member that an answer has; where there can be several keys, with something for each. */
  readonly answered?: string;
  /**
   * What it means if some of the owners cannot be reached. `partial`: the answer has what there is,
   * since a key that is left out says nothing. `whole`: there is no answer without all of them.
   */
  readonly without: "partial" | "whole";
  /** Whether asking twice does no harm. */
  readonly isRepeatable: boolean;
  /** Whether nothing has happened, whatever became of the request. */
  readonly isReadOnly: boolean;
}

/** By type of request. */
export const PARTITIONS: ReadonlyMap<string, Partition> = new Map<string, Partition>([
  [
    "send",
    {
      keysOf: (request) => [readKey(request)],
      // A send has one key, so its only part is the whole, its message as it was written.
      partOf: ({ body: { key }, bodyText }) => {
        const message = bodyText("msg");
        const msg = message === undefined ? {} : { msg: new JsonText(message) };
        return { type: "send", key: key as string, ...msg };
      },
      answered: "offset",
      without: "whole",
      isRepeatable: false,
      isReadOnly: false,
    },
  ],
  ["poll", { ...byOffsets("poll"), answered: "msgs", without: "partial", isReadOnly: true }],
  ["commit_offsets", { ...byOffsets("commit_offsets"), without: "whole", isReadOnly: false }],
  [
    "list_committed_offsets",
    {
      keysOf: readKeys,
      partOf: (_, keys) => ({ type: "list_committed_offsets", keys }),
      answered: "offsets",
      // A key that is left out has no committed offset: a consumer would begin anew.
      without: "whole",
      isRepeatable: true,
      isReadOnly: true,
    },
  ],
]);

function byOffsets(type: string): Pick<Partition, "keysOf" | "partOf" | "isRepeatable"> {
  return {
    keysOf: (request) => [...readOffsets(request).keys()],
    partOf: (request, keys) => {
      const all = readOffsets(request);
      return { type, offsets: new Map(keys.map((key) => [key, all.get(key) ?? 0])) };
    },
    isRepeatable: true,
  };
}

/**
 * Puts together the answers to the parts of a request, of which no two have a key in common.
 *
 * @param type - Of the answer.
 * @throws MaelstromError `crash` if one of them is no such answer.
 */
export function joinAnswers(
  { answered }: Partition,
  type: string,
  parts: readonly Content[],
): Body {
  for (const part of parts) {
    if (part.type === type) continue;
    throw new MaelstromError("crash", `An answer is of type ${show(part.type)}, not ${type}.`);
  }
  if (answered === undefined) return { type };
  const [first] = parts;
  if (first !== undefined && parts.length === 1) {
    return { type, [answered]: new JsonText(answeredText(first, answered)) };
  }
  const members = parts.map((part) => membersText(part, answered)).filter((text) => text !== "");
  return { type, [answered]: new JsonText(`{${members.join(",")}}`) };
}

function answeredText(part: Content, name: string): string {
  const text = part.bodyText(name);
  if (text !== undefined) return text;
  throw new MaelstromError("crash", `An answer of type ${part.type} has no ${name}.`);
}

/** What stands between the braces, as it was written. */
function membersText(part: Content, name: string): string {
  if (isObject(part.body[name])) return answeredText(part, name).slice(1, -1).trim();
  throw new MaelstromError("crash", `In an answer of type ${part.type}, ${name} is no object.`);
}

/** A message of this node's own, as if it had come over the network. */
export function toContent(body: Body, text: string): Content {
  return {
    type: body.type,
    body: JSON.parse(text),
    bodyText: (name) => memberText(text, name),
  };
}
