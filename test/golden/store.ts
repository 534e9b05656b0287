import type { LogEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";

/** Keys whose names need encoding; each gets a record that says its place in this list. */
const KEYS = ["orders", "Orders", "..", "a/b", "con", "com1", "__proto__", "ключ 🔑", "%2e", "\0"];

/** A store with odd keys, groups that committed, moved back and forth, and a key deleted. */
export async function writeStore(environment: LogEnvironment, directory: string): Promise<void> {
  const store = await LogStore.openOn(environment, directory, { segmentBytes: 512 });
  for (const [index, key] of KEYS.entries()) {
    await store.append(key, `record of key ${index}`);
  }
  for (let index = 1; index < 8; index++) {
    await store.appendBatch("orders", [`order ${index}`, { value: `detail ${index}`, key: "d" }]);
  }
  await store.append("gone", "deleted with its key");
  const kitchen = store.group("kitchen");
  await kitchen.commit({ orders: 3, gone: 1 });
  await kitchen.commit(new Map(KEYS.map((key) => [key, 1])));
  await kitchen.seek({ Orders: 0 });
  await store.group("Группа").commit({ orders: 15 });
  await store.deleteKey("gone");
  await store.append("gone", "a new log of that name");
  await store.log("empty");
  await store.close();
}
