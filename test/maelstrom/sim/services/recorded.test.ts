import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Body } from "../../history.js";
import type { Message } from "../message.js";
import { LinearizableKv } from "./linearizable-kv.js";

const RECORDINGS = new URL("../../../../fixtures/maelstrom/", import.meta.url);

interface Recorded extends Message {
  /** Maelstrom numbers messages in the order in which they are sent. */
  readonly id: number;
}

function read(file: string): Recorded[] {
  const lines = readFileSync(new URL(file, RECORDINGS), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Recorded);
}

/** What two nodes asked Maelstrom's lin-kv and were answered, in the order in which that happened. */
function recordedExchanges(): { node: string; request: Body; reply: Body }[] {
  const replies = ["n0", "n1"].flatMap((node) => read(`two-nodes.${node}.received.ndjson`));
  const requests = new Map(
    ["n0", "n1"]
      .flatMap((node) => read(`two-nodes.${node}.sent.ndjson`))
      .filter(({ dest }) => dest === "lin-kv")
      .map(({ src, body }) => [`${src} ${body.msg_id}`, body]),
  );
  return replies
    .filter(({ src }) => src === "lin-kv")
    .sort((a, b) => a.id - b.id)
    .map(({ dest, body: { in_reply_to: id, ...reply } }) => {
      return { node: dest, request: requests.get(`${dest} ${id}`)!, reply: reply as Body };
    });
}

it("answers everything in a recorded run as Maelstrom's lin-kv did", () => {
  const exchanges = recordedExchanges();
  expect(exchanges.length).toBeGreaterThan(3_000);
  const service = new LinearizableKv();
  for (const { node, request, reply } of exchanges) {
    expect(service.handle(node, request)).toEqual(reply);
  }
});
