import { readdirSync } from "node:fs";
import { CommitLog, type LogRecord, LogStore, type OpenLogOptions } from "../../src/index.js";

// What a reader must find in a golden directory, as JSON. test/golden/read_log.py prints the same.
// Bytes are hexadecimal, so that nothing depends on how text is escaped.

/** All that a log tells. */
export async function describeLog(directory: string, options: OpenLogOptions = { readOnly: true }) {
  const log = await CommitLog.open(directory, options);
  try {
    return await describeOpenLog(log);
  } finally {
    await log.close();
  }
}

async function describeOpenLog(log: CommitLog) {
  const records = [];
  for await (const record of log.records()) records.push(describeRecord(record));
  return {
    epoch: log.epoch,
    startOffset: log.startOffset,
    endOffset: log.endOffset,
    records,
  };
}

function describeRecord({ offset, timestamp, value, key, headers }: LogRecord) {
  return {
    offset,
    timestamp,
    value: hex(value),
    ...(key === undefined ? {} : { key: hex(key) }),
    ...(headers === undefined
      ? {}
      : { headers: headers.map(([name, content]) => [hex(Buffer.from(name)), hex(content)]) }),
  };
}

/** All that a store tells: its keys in the order of their names, and who committed what. */
export async function describeStore(
  directory: string,
  options: OpenLogOptions = { readOnly: true },
) {
  const store = await LogStore.open(directory, options);
  try {
    const keys = [];
    for (const key of store.keys().sort()) {
      keys.push({ key, ...(await describeOpenLog(await store.log(key))) });
    }
    const groups = [];
    for (const group of (await store.groups()).sort()) {
      const committed = [...(await store.group(group).committed())].sort();
      groups.push({ group, committed });
    }
    return { directories: readdirSync(`${directory}/logs`).sort(), keys, groups };
  } finally {
    await store.close();
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
