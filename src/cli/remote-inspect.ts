import type { KeyMetadata, SeglogClient } from "../client/index.js";
import { SeglogError } from "../errors.js";
import type { CommandContext } from "./context.js";
import { count, formatBytes, renderTable } from "./display.js";
import { escapeText, safeJson } from "./escape.js";
import { KEY_COLUMNS, keyRow } from "./key-table.js";
import { connectRemote, type RemoteFlags } from "./remote.js";

interface RemoteInspectFlags extends RemoteFlags {
  readonly key?: string;
  readonly json?: boolean;
  readonly raw?: boolean;
}

/** `seglog inspect --url`: the keys of a server's store, or the segments of one. */
export async function inspectRemote(
  context: CommandContext,
  flags: RemoteInspectFlags,
): Promise<void> {
  await using client = await connectRemote(flags);
  const safe = flags.raw === true ? (text: string) => text : escapeText;
  if (flags.key === undefined) {
    const store = { url: flags.url, keys: await describeKeys(client) };
    const text = () => storeAsText(store, safe);
    await context.output.line(flags.json === true ? safeJson(store, 2) : text());
    return;
  }
  const metadata = await client.metadata(flags.key);
  if (metadata === undefined) {
    const text = `${flags.url} has no key ${JSON.stringify(flags.key)}.`;
    throw new SeglogError("KEY_NOT_FOUND", `${text} seglog inspect --url lists its keys.`);
  }
  const log = { url: flags.url, key: flags.key, ...metadata };
  await context.output.line(flags.json === true ? safeJson(log, 2) : logAsText(log, safe));
}

type KeyRow = Omit<KeyMetadata, "segments"> & { readonly key: string; readonly segments: number };

async function describeKeys(client: SeglogClient): Promise<KeyRow[]> {
  const rows: KeyRow[] = [];
  for (const key of await client.keys()) {
    const metadata = await client.metadata(key);
    // It may have been deleted meanwhile.
    if (metadata !== undefined) rows.push({ key, ...metadata, segments: metadata.segments.length });
  }
  return rows;
}

function storeAsText(
  { url, keys }: { readonly url: string | undefined; readonly keys: readonly KeyRow[] },
  safe: (text: string) => string,
): string {
  const bytes = keys.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const head = `store ${url}\n  total    ${count(keys.length, "key")}, ${formatBytes(bytes)}`;
  if (keys.length === 0) return head;
  const table = renderTable(
    KEY_COLUMNS,
    keys.map((row) => keyRow({ ...row, bytes: row.sizeBytes }, safe)),
  );
  return `${head}\n\n${table}`;
}

function logAsText(
  log: KeyMetadata & { readonly url: string | undefined; readonly key: string },
  safe: (text: string) => string,
): string {
  const head = [
    `log ${log.url}, key ${safe(log.key)}`,
    `  epoch    ${log.epoch}`,
    `  offsets  start ${log.startOffset}, end ${log.endOffset}`,
    `  size     ${formatBytes(log.sizeBytes)}`,
  ];
  const table = renderTable(
    [
      ["base", "right"],
      ["end", "right"],
      ["bytes", "right"],
    ],
    log.segments.map(({ baseOffset, endOffset, sizeBytes }) =>
      [baseOffset, endOffset, sizeBytes].map(String),
    ),
  );
  return `${head.join("\n")}\n\n${table}`;
}
