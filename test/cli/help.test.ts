import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { temporaryDirectory } from "../support/temporary-directory.js";
import { seglog } from "./program.js";
import { withLog } from "./samples.js";

const COMMANDS = [
  "append",
  "cat",
  "inspect",
  "dump",
  "verify",
  "repair",
  "offsets",
  "trim",
  "serve",
];

describe("help", () => {
  it("of the program lists the commands, examples and exit codes", async () => {
    const { code, out, err } = await seglog(temporaryDirectory(), ["--help"]);
    expect([code, err]).toEqual([0, ""]);
    for (const command of COMMANDS) expect(out).toContain(`\n  ${command} `);
    expect(out).toContain("Examples:");
    expect(out).toContain("Exit codes:");
  });

  it.each(COMMANDS)("of %s shows an example and the exit codes", async (command) => {
    const { code, out } = await seglog(temporaryDirectory(), [command, "--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(/Examples?:\n {2}\$ .*seglog /);
    expect(out).toMatch(/Exit codes:\n {2}0 /);
    for (const line of out.split("\n")) expect(line.length).toBeLessThan(100);
    const [description] = out.split(/\n(?:Arguments|Options):\n/);
    // A line that is broken twice ends early.
    for (const [line] of description!.matchAll(/^.{1,60}\n(?=[a-z])/gm)) expect(line).toBe("");
  });

  it("comes with the version", async () => {
    const { code, out } = await seglog(temporaryDirectory(), ["--version"]);
    expect([code, out]).toEqual([0, `${manifest.version}\n`]);
  });
});

describe("bad usage", () => {
  it.each([
    [[], /USAGE: Say which command/],
    [["catt", "x"], /USAGE: unknown command 'catt' \(Did you mean cat\?\)/],
    [["cat"], /USAGE: missing required argument 'dir'/],
    [["cat", "events", "--nope"], /USAGE: unknown option '--nope'/],
    [["cat", "events", "--from", "-1"], /USAGE: .*'-1' is invalid\. It must be an integer/],
    [["cat", "events", "--from", "1.5"], /It must be an integer from 0 to 2\^53 - 1/],
    [["cat", "events", "--to", "9007199254740992"], /It must be an integer/],
    [["cat", "events", "--from", "5", "--to", "3"], /--to must not be before --from/],
    [["cat", "events", "--format", "xml"], /Allowed choices are text, json, hex, raw/],
    [["cat", "events", "--key", "k"], /events is a single log, not a store: leave --key out/],
    [["cat", "nothing"], /NOT_A_LOG: nothing does not exist/],
    [["cat", "events/log.meta"], /NOT_A_LOG: events\/log\.meta is a file/],
    [["append", "events/log.meta/x"], /NOT_A_LOG: .* is a file, or stands below one\. /],
    [["append", "new", "--durability", "maybe"], /Allowed choices are always, interval, os/],
    [["append", "new", "--segment-bytes", "3"], /USAGE: segmentBytes must be an integer/],
    [["append", "new", "no-such-file"], /USAGE: The file no-such-file does not exist/],
    [["append", "new", "."], /USAGE: \. is a directory/],
    [["append", "new", "--key", ""], /A key must not be empty/],
    [["serve", "new", "--listen", "50052"], /It must be host:port/],
    [["serve", "new", "--listen", "127.0.0.1:70000"], /USAGE: port must be/],
    [["serve", "new", "--limit", "maxConections=5"], /USAGE: Unknown limit: "maxConections"/],
    [["serve", "new", "--limit", "maxConnections"], /It must be name=number/],
    [["serve", "new", "--tls-key", "key"], /USAGE: TLS needs both/],
    [
      ["serve", "new", "--listen", "0.0.0.0:0"],
      /USAGE: Other machines can reach 0\.0\.0\.0.* --insecure/,
    ],
    [["serve", "new", "--tokens", "none"], /IO_ERROR: Cannot read none: ENOENT\. Check the path/],
    [["serve", "new", "--store", "segmentByte=5"], /USAGE: Unknown option/],
    [["serve", "new", "--store", "segmentBytes=5"], /USAGE: segmentBytes must be/],
    [["serve", "events", "--listen", "127.0.0.1:0"], /NOT_A_STORE: .* leave --key out|single log/],
    [["trim", "events"], /USAGE: required option '--before <offset>' not specified/],
    [
      ["trim", "events", "--before", "61"],
      /OFFSET_OUT_OF_RANGE: Offset 61 .*\[0, 60\): --before takes/,
    ],
    [["offsets", "events"], /only stores have consumer groups/],
    [["dump", "events"], /events is a directory, not a file/],
    [["dump", "events/LOCK"], /its name is not one that seglog gives/],
    [["repair", "events", "--salvage", "events"], /lies inside of events/],
    [["repair", "events", "--salvage", "events/new"], /lies inside of events/],
    [["repair", "events", "--salvage", "--dry-run"], /Write \.\/ before a name/],
  ])("%j", async (args, message) => {
    const cwd = await withLog();
    const { code, out, err } = await seglog(cwd, args);
    expect(err).toMatch(message);
    expect(err).toMatch(/^seglog: [A-Z_]+: [^\n]*\n$/);
    expect([code, out]).toEqual([2, ""]);
    expect(readdirSync(cwd)).toEqual(["events"]);
    expect(readdirSync(join(cwd, "events"))).not.toContain("new");
  });
});
