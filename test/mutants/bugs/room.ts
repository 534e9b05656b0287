import type { Mutant } from "../mutant.js";

const suite = { files: ["log/room.test.ts"] };

/** Room behind the end of a log that is kept, taken back or believed where it must not be. */
export const roomBugs: readonly Mutant[] = [
  {
    name: "sealed-with-room",
    bug: "seals a segment with the room that is left behind its data",
    file: "log/log-writer.ts",
    find: "    await this.#takeRoomBack();\n    const sealed = this.#active;",
    replace: "    const sealed = this.#active;",
    suite,
  },
  {
    name: "closed-with-room",
    bug: "closes a log with the room that is left behind its data",
    file: "log/log-writer.ts",
    find: "        await this.#takeRoomBack();\n        await this.#sync();",
    replace: "        await this.#sync();",
    suite,
  },
  {
    name: "room-taken-back-unsynced",
    bug: "makes the next segment before it is durable that this one has no room left",
    file: "log/log-writer.ts",
    find: "    this.#roomEnd = 0;\n    await this.#sync();\n",
    replace: "    this.#roomEnd = 0;\n",
    suite,
  },
  {
    name: "no-room-no-append",
    bug: "refuses an append for which there is space, since there is none for room behind it",
    file: "log/log-writer.ts",
    find: "      await this.#cut(file, start, error);\n",
    replace: "      await this.#cut(file, start, error);\n      throw error;\n",
    suite,
  },
  {
    name: "room-for-those-who-do-not-sync",
    bug: "writes zeros ahead of a log that does not sync its groups",
    file: "log/log-writer.ts",
    find: 'return this.options.durability === "always" && end > this.#roomEnd;',
    replace: "return end > this.#roomEnd;",
    suite,
  },
  {
    name: "room-is-torn",
    bug: "takes room for a torn tail, and raises the epoch",
    file: "log/tail-scan.ts",
    find: "  if (invalid !== undefined && (await isAllZeros(segment.file, position, fileBytes))) {",
    replace: "  if (position < 0) {",
    suite,
  },
  {
    name: "room-is-damage",
    bug: "reports room as damage",
    file: "log/segment-check.ts",
    find: "if (this.#isNewest && damaged.isZeros) {",
    replace: "if (position < 0) {",
    suite,
  },
  {
    name: "room-in-a-sealed-segment",
    bug: "takes zeros at the end of a sealed segment for room",
    file: "log/segment-check.ts",
    find: "if (this.#isNewest && damaged.isZeros) {",
    replace: "if (damaged.isZeros) {",
    suite,
  },
  {
    name: "torn-bytes-are-room",
    bug: "takes whatever follows the last block for room",
    file: "segment/zeros.ts",
    find: "    if (wanted.subarray(0, count).some((byte) => byte !== 0)) return false;\n",
    replace: "",
    suite,
  },
];
