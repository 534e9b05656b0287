import { Random } from "../support/random.js";
import { DISTINCT, RecordSet } from "./record-set.js";

const LEVELS = ["debug", "info", "info", "info", "info", "info", "warn", "error"] as const;

/** What applications log, of the lengths and with the chance in it that it has there. */
const MESSAGES: readonly ((random: Random) => string)[] = [
  (random) =>
    `GET /api/v1/customers/${random.below(50_000)}/orders answered with ` +
    `${random.pick([200, 200, 200, 304, 404, 500])} in ${random.below(400)} ms`,
  (random) =>
    `order ${random.below(1_000_000)} of customer ${random.below(50_000)} was paid by ` +
    random.pick(["card", "invoice", "transfer"]),
  (random) =>
    `user ${random.below(50_000)} signed in from 10.${random.below(256)}.${random.below(256)}.` +
    `${random.below(256)} with ${random.pick(["a password", "a passkey", "a token"])}`,
  (random) =>
    `job ${random.pick(["mail", "invoice", "cleanup", "export"])} took ` +
    `${random.below(60_000)} ms for ${random.below(500)} items, ${random.below(3)} failed`,
];

/** Events as JSON, 150 to 200 B each, which compress as such events do. */
export class EventRecords extends RecordSet {
  constructor() {
    super(make);
  }
}

function make(): Buffer[] {
  const random = new Random(1);
  let time = Date.UTC(2026, 0, 1);
  return Array.from({ length: DISTINCT }, () => {
    time += random.below(50);
    const event = {
      id: uuid(random),
      time: new Date(time).toISOString(),
      level: random.pick(LEVELS),
      message: random.pick(MESSAGES)(random),
    };
    return Buffer.from(JSON.stringify(event));
  });
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.below(16).toString(16)).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
