import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { isCalledBy } from "../../src/server/host-names.js";
import { type ServeOptions, serve } from "../../src/server/index.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";
import { connect2, request1, request2 } from "./sockets.js";
import { tokensOf } from "./token-file.js";

/** @returns What a server answers to those who name a host, over HTTP/1.1 and HTTP/2. */
async function started(options: Partial<ServeOptions>) {
  const server = await serve({ directory: newPath(), port: 0, ...options });
  onTestFinished(() => server.close());
  const { port } = server;
  const session = await connect2(port);
  return async (host: string) => [
    (await request1(port, "/metrics", { headers: { host } })).status,
    (await request2(session, "/metrics", { ":authority": host })).status,
  ];
}

describe("a server on loopback without tokens", () => {
  it("is not called by the name of a page's host", async () => {
    const statuses = await started({});
    expect(await statuses("page.example:50052")).toEqual([403, 403]);
    for (const host of ["localhost:50052", "LOCALHOST", "localhost.", "127.0.0.1:1", "[::1]:1"]) {
      expect(await statuses(host)).toEqual([200, 200]);
    }
  });

  it("is called by the name that it was told to listen on", () => {
    const names = new Set(["localhost", "log.example"]);
    const isTaken = (host: string) => isCalledBy(names, { headers: { host } } as never);
    expect(isTaken("Log.Example:50052")).toBe(true);
    for (const host of ["page.example", "log.example.page.example", "127.0.0.1.page.example", ""]) {
      expect(isTaken(host)).toBe(false);
    }
  });
});

describe("a server by any name", () => {
  it("is one with tokens, which ask for more", async () => {
    const tokens = join(temporaryDirectory(), "tokens.json");
    const text = tokensOf({ operator: { rights: ["admin"], prefix: "" } });
    writeFileSync(tokens, text, { mode: 0o600 });
    const statuses = await started({ tokens });
    expect(await statuses("log.example")).toEqual([401, 401]);
  });

  it("is one that other machines can reach", async () => {
    const statuses = await started({ host: "0.0.0.0", insecure: true });
    expect(await statuses("log.example")).toEqual([200, 200]);
  });
});
