import { SeglogError } from "../errors.js";
import { JOURNAL_DIRECTORY, STORE_METADATA_FILE } from "../format/file-names.js";
import { CommitLog } from "../index.js";
import { surveyLog } from "../log/recovery/log-survey.js";
import { decodeKey } from "../store/key-directory.js";
import { keyPath, listStore, readStoreMetadata } from "../store/store-files.js";
import type { CommandContext } from "./context.js";
import { damageText, isDamage } from "./damage.js";
import { count, formatBytes, formatTime, hex, renderTable } from "./display.js";
import { escapeText } from "./escape.js";
import { ExitCode } from "./exit-code.js";
import { KEY_COLUMNS, keyRow, type ListedKey } from "./key-table.js";
import { listKeyDirectories } from "./location.js";
import { findJournal } from "./store-journal.js";

/** One key as `inspect` shows it; `null` stands for what cannot be known. */
export interface KeyDescription extends ListedKey {
  /** How many of its records stand in the journal and in no segment. */
  readonly journaled: number;
  /** What keeps readers out of it. */
  readonly damage: string | null;
}

/** A store as `inspect` shows it. */
export interface StoreDescription {
  readonly kind: "store";
  readonly directory: string;
  readonly id: string | null;
  readonly createdAt: number | null;
  readonly damage: readonly string[];
  /** Names under `logs/` that stand for no key. */
  readonly foreignNames: readonly string[];
  readonly bytes: number;
  /** The log that the others share; `null` if there is none. */
  readonly journal: KeyDescription | null;
  readonly keys: readonly KeyDescription[];
}

/** Looks at a store, damaged or not; damage that it meets sets the exit code. */
export async function describeStore(
  context: CommandContext,
  directory: string,
): Promise<StoreDescription> {
  const { fileSystem } = context.environment;
  const damage: string[] = [];
  let metadata: Awaited<ReturnType<typeof readStoreMetadata>> | undefined;
  const listing = await listStore(fileSystem, directory);
  if (listing?.hasMetadata === true) {
    try {
      metadata = await readStoreMetadata(fileSystem, directory);
    } catch (error) {
      if (!isDamage(error)) throw error;
      damage.push(damageText(error));
    }
  } else {
    damage.push(`${STORE_METADATA_FILE} is missing`);
  }
  const path = await findJournal(fileSystem, { kind: "store", directory });
  const hasJournal = path !== undefined;
  const keys: KeyDescription[] = [];
  const foreignNames: string[] = [];
  for (const name of await listKeyDirectories(fileSystem, directory)) {
    const key = decodeKey(name);
    if (key === undefined) foreignNames.push(name);
    else keys.push(await describeKey(context, keyPath(directory, name), key, hasJournal));
  }
  const journal =
    path === undefined ? null : await describeKey(context, path, JOURNAL_DIRECTORY, false);
  const logs = journal === null ? keys : [journal, ...keys];
  if (damage.length > 0 || logs.some((log) => log.damage !== null)) {
    context.exitCode = ExitCode.damage;
  }
  return {
    kind: "store",
    directory,
    id: metadata === undefined ? null : hex(metadata.storeId),
    createdAt: metadata?.createdAt ?? null,
    damage,
    foreignNames,
    bytes: logs.reduce((sum, { bytes }) => sum + bytes, 0),
    journal,
    keys,
  };
}

async function describeKey(
  context: CommandContext,
  directory: string,
  key: string,
  hasJournal: boolean,
): Promise<KeyDescription> {
  const nothing = { key, startOffset: null, endOffset: null, segments: 0, bytes: 0, journaled: 0 };
  let sizes = { segments: 0, bytes: 0 };
  try {
    const survey = await surveyLog(context.environment, directory);
    const bytes = survey.segments.reduce((sum, { endPosition }) => sum + endPosition, 0);
    sizes = { segments: survey.segments.length, bytes };
    await using log = await CommitLog.openOn(context.environment, directory, { readOnly: true });
    await log.refresh();
    const { startOffset, endOffset } = log;
    const journaled = hasJournal
      ? endOffset - (log.segments().at(-1)?.endOffset ?? startOffset)
      : 0;
    return { key, startOffset, endOffset, ...sizes, journaled, damage: null };
  } catch (error) {
    // A key that was being made or deleted holds nothing yet, or nothing any more.
    if (error instanceof SeglogError && error.code === "NOT_A_LOG") {
      return { ...nothing, damage: null };
    }
    if (!isDamage(error)) throw error;
    return { ...nothing, ...sizes, damage: damageText(error) };
  }
}

/** The same for people. */
export function storeAsText(store: StoreDescription, raw: boolean): string {
  const safe = raw ? (text: string) => text : escapeText;
  const records = store.keys.reduce((sum, key) => sum + recordsOf(key), 0);
  const lines = [
    `store ${safe(store.directory)}`,
    `  id       ${store.id ?? "unknown"}`,
    `  created  ${store.createdAt === null ? "unknown" : formatTime(store.createdAt)}`,
    `  total    ${count(store.keys.length, "key")}, ${count(records, "offset")}, ` +
      formatBytes(store.bytes),
    ...(store.journal === null ? [] : [`  journal  ${journalText(store, store.journal)}`]),
    ...store.damage.map((text) => `  damage   ${safe(text)}`),
    ...store.foreignNames.map((name) => `  foreign  logs/${safe(name)} stands for no key`),
  ];
  if (store.keys.length === 0) return lines.join("\n");
  const table = renderTable(
    [...KEY_COLUMNS, ["state", "left"]],
    store.keys.map((key) => [...keyRow(key, safe), key.damage === null ? "ok" : "damaged"]),
  );
  const details = store.keys
    .filter(({ damage }) => damage !== null)
    .map(({ key, damage }) => `\n${safe(key)}: ${safe(damage ?? "")}`);
  return [`${lines.join("\n")}\n\n${table}`, ...details].join("\n");
}

function journalText({ keys }: StoreDescription, journal: KeyDescription): string {
  const { damage, bytes } = journal;
  if (damage !== null) return `damaged: ${escapeText(damage)}`;
  const journaled = keys.reduce((sum, key) => sum + key.journaled, 0);
  return `${count(journaled, "record")} that no segment of their keys has, ${formatBytes(bytes)}`;
}

function recordsOf({ startOffset, endOffset }: KeyDescription): number {
  return startOffset === null || endOffset === null ? 0 : endOffset - startOffset;
}
