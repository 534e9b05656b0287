// Prints "N passed, N failed" from the result file of a Vitest run, and fails unless tests ran and
// none failed. Usage: node summary.mjs RESULTS.json

import { existsSync, readFileSync } from "node:fs";

const [, , path] = process.argv;
if (!existsSync(path)) {
  console.error("The test run left no results.");
  console.log("0 passed, 1 failed");
  process.exit(1);
}

const results = JSON.parse(readFileSync(path, "utf8"));
// A file that cannot be loaded fails without having a test that failed.
const brokenFiles = results.testResults.filter(
  (file) =>
    file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
);
for (const file of brokenFiles) console.error(`${file.name}: ${file.message}`);

const passed = results.numPassedTests;
const failed = results.numFailedTests + brokenFiles.length;
const skipped = results.numPendingTests + results.numTodoTests;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
