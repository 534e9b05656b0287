import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { temporaryDirectory } from "../temporary.js";
import { Cluster } from "./cluster.js";
import { Network } from "./network.js";

/** Starts two nodes of a program that has `answer` in it: what it writes for each line. */
function startCluster(answer: string): { cluster: Cluster; network: Network } {
  const path = join(temporaryDirectory(), "node.mjs");
  writeFileSync(
    path,
    `import { createInterface } from "node:readline";
     createInterface({ input: process.stdin }).on("line", (line) => {
       const { src, dest, body } = JSON.parse(line);
       const reply = (type, from = dest, to = src) => console.log(
         JSON.stringify({ src: from, dest: to, body: { type, in_reply_to: body.msg_id } }));
       ${answer}
     });`,
  );
  const options = { random: new Random(1), latencyMs: 0, latencyDistribution: "constant" } as const;
  const network = new Network(options);
  return { network, cluster: new Cluster(network, ["n0", "n1"], { path, args: [] }) };
}

/** Introduces the nodes, ends them, and returns what there was to complain about. */
async function complaintsAbout(answer: string): Promise<readonly string[]> {
  const { cluster } = startCluster(answer);
  await cluster.init();
  await cluster.end();
  return cluster.complaints;
}

const INIT_OK = `reply("init_ok");`;

describe("Cluster", () => {
  it("introduces nodes to each other and ends them", async () => {
    expect(await complaintsAbout(INIT_OK)).toEqual([]);
  });

  it("passes on what they write", async () => {
    const { cluster, network } = startCluster(`reply(body.type + "_ok");`);
    await cluster.init();
    const answered = new Promise((resolve) => network.join("c9", resolve));
    network.send({ src: "c9", dest: "n1", body: { type: "echo", msg_id: 7 } });
    expect(await answered).toEqual({
      src: "n1",
      dest: "c9",
      body: { type: "echo_ok", in_reply_to: 7 },
    });
    await cluster.end();
  });

  it.each([
    ["lines that are no JSON", `console.log("hello");`, "no message, it is not JSON: hello"],
    ["lines without a body", `console.log('{"src":"n0","dest":"c1"}');`, "body is no object"],
    ["messages in the name of others", `reply("x", "c1");`, "in another's name"],
    ["messages to nobody", `reply("x", dest, "n7");`, "to nobody"],
    ["answers to clients that are gone", `reply("late", dest, "c99");`, "to nobody"],
    ["a bad end", "process.exitCode = 3;", "ended with 3"],
  ])("complains about %s", async (_, answer, complaint) => {
    const complaints = await complaintsAbout(answer + INIT_OK);
    expect(complaints.map((each) => each.slice(0, 2)).sort()).toEqual(["n0", "n1"]);
    expect(complaints[0]).toContain(complaint);
  });

  it("says so if a node does not introduce itself", async () => {
    const { cluster } = startCluster(`console.error("no idea"); process.exit(1);`);
    await expect(cluster.init()).rejects.toThrow("did not answer init: no idea");
    await cluster.end();
    expect(cluster.complaints.join()).toContain("ended with 1");
  });
});
