import Table from "cli-table3";
import { percentile } from "./percentile.js";
import type { Phases, SimulationResult, Snapshot } from "./simulation.js";
import type { Outcomes } from "./tally.js";

/** Messages between servers, for each request of a client. */
export interface MessagesPerRequest {
  readonly betweenNodes: number;
  readonly services: number;
}

const SHOWN_ANOMALIES = 20;

/** What a run showed, for a person. */
export function reportOf(result: SimulationResult): string {
  return [
    requestTable(result),
    messageTable(result.phases),
    remarks(result),
    verdictLine(result),
  ].join("\n");
}

/** Whether nothing was wrong with a run. */
export function isValid({ verdict, complaints }: SimulationResult): boolean {
  return verdict.anomalies.length === 0 && complaints.length === 0;
}

/** Messages between servers between two moments of a run. */
export function messagesPerRequest(from: Snapshot, to: Snapshot): MessagesPerRequest {
  const requests = to.requests - from.requests;
  return {
    betweenNodes: (to.messages.betweenNodes - from.messages.betweenNodes) / requests,
    services: (to.messages.services - from.messages.services) / requests,
  };
}

function requestTable({ tally }: SimulationResult): string {
  const table = newTable([
    "requests",
    "ok",
    "failed",
    "unknown",
    "… without a partition",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "most ms",
  ]);
  for (const [type, outcomes] of tally.byType) table.push(requestRow(type, outcomes));
  return table.toString();
}

function requestRow(type: string, outcomes: Outcomes): string[] {
  const { ok, failed, unknown, unexcused, latenciesMs } = outcomes;
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const latencies = [0.5, 0.95, 0.99, 1].map(
    (share) => percentile(sorted, share)?.toFixed(1) ?? "",
  );
  return [type, ...[ok, failed, unknown, unexcused].map(show), ...latencies];
}

function messageTable({ quarters, settled, listed, read }: Phases): string {
  const [start, first, , third, fourth] = quarters as [Snapshot, ...Snapshot[]];
  const spans = [
    [start, first],
    [third, fourth],
    [start, settled],
  ] as readonly (readonly [Snapshot, Snapshot])[];
  const table = newTable([
    "messages per request",
    "first quarter",
    "last quarter",
    "all under load",
  ]);
  const row = (name: string, value: (from: Snapshot, to: Snapshot) => number) =>
    table.push([name, ...spans.map((span) => showRatio(value(...span)))]);
  row("node to node", (from, to) => messagesPerRequest(from, to).betweenNodes);
  row("node to service and back", (from, to) => messagesPerRequest(from, to).services);
  row("together", (from, to) => {
    const { betweenNodes, services } = messagesPerRequest(from, to);
    return betweenNodes + services;
  });
  row(
    "(keys in a poll)",
    (from, to) => (to.polledKeys - from.polledKeys) / (to.polls - from.polls),
  );
  // Maelstrom counts the whole run, but does not list all committed offsets in between.
  const servers = ({ messages }: Snapshot) => messages.betweenNodes + messages.services;
  const messages = servers(read) - (servers(listed) - servers(settled));
  const operations = read.operations - (listed.operations - settled.operations);
  const perOperation = (messages / operations).toFixed(2);
  return `${table.toString()}\nMaelstrom's :servers :msgs-per-op would be ${perOperation}.`;
}

function remarks({ partitions, verdict, complaints }: SimulationResult): string {
  const shapes = [...partitions].map(([shape, times]) => `${times} × ${shape}`);
  const { acknowledged, polled, unseen, stalePolls, staleLists, anomalies } = verdict;
  const lines = [
    `Partitions: ${shapes.join(", ") || "none"}.`,
    `${show(acknowledged)} messages acknowledged, ${show(polled)} polled, ${show(unseen)} never seen.`,
    `Out of date, which is allowed: ${show(stalePolls)} empty answers to polls, ` +
      `${show(staleLists)} listed offsets.`,
    ...anomalies
      .slice(0, SHOWN_ANOMALIES)
      .map(({ kind, key, detail }) => `  ${kind}, key ${JSON.stringify(key)}: ${detail}`),
    ...complaints,
  ];
  return lines.join("\n");
}

function verdictLine(result: SimulationResult): string {
  if (isValid(result)) return "VALID: everything kept the workload's rules.";
  const counts = new Map<string, number>();
  for (const { kind } of result.verdict.anomalies) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => `${show(count)} × ${kind}`);
  const { complaints } = result;
  if (complaints.length > 0) kinds.push(`${show(complaints.length)} × what nodes did`);
  return `INVALID: ${kinds.join(", ")}.`;
}

/** In a quarter in which all clients wait for an answer, there is nothing to divide by. */
function showRatio(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "–";
}

function newTable(head: string[]): Table.Table {
  const colAligns = head.map((_, column) => (column === 0 ? "left" : "right"));
  return new Table({ head, colAligns, style: { head: [], border: [] } });
}

function show(number: number): string {
  return number.toLocaleString("en-US");
}
