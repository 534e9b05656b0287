/**
 * A writer in a process of its own, driven by lines on standard input: each is JSON, each gets one
 * line of JSON as its answer.
 */
import { createInterface } from "node:readline";
import { CommitLog } from "../../../dist/index.js";

const [directory, options] = process.argv.slice(2);
let log;
const commands = {
  open: async () => {
    log = await CommitLog.open(directory, JSON.parse(options ?? "{}"));
    return process.pid;
  },
  append: (values) => Promise.all(values.map((value) => log.append(value))),
  truncateTo: (offset) => log.truncateTo(offset),
  deleteBefore: (offset) => log.deleteBefore(offset),
  close: () => log.close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = JSON.parse(line);
  const answer = await commands[name](argument).then(
    (result) => ({ result }),
    (error) => ({ code: error.code, message: error.message }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
