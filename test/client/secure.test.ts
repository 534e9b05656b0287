import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "seglog/client";
import { serve } from "seglog/server";
import { describe, expect, onTestFinished, test } from "vitest";
import { Authority } from "../server/certificates.js";
import { codeOf, failureOf } from "../support/failure.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { RemoteStore } from "./remote.js";

const TOKEN = "a-token-that-nobody-else-has";

/** A server with TLS that knows one token, with these rights. */
async function serveSecurely(rights: readonly string[], options: object = {}) {
  const authority = new Authority("authority");
  const { certificate, key } = authority.issue("server");
  const directory = temporaryDirectory();
  const tokens = join(directory, "tokens.json");
  const sha256 = createHash("sha256").update(TOKEN).digest("hex");
  const entry = { name: "tester", sha256, rights, prefix: "own-" };
  writeFileSync(tokens, JSON.stringify({ tokens: [entry] }), { mode: 0o600 });
  const tls = { certificate, key, ...options };
  const server = await serve({ directory: join(directory, "store"), port: 0, tls, tokens });
  onTestFinished(() => server.close());
  return { url: server.url.replace("http:", "https:"), authority, ca: read(authority.certificate) };
}

const read = (path: string) => readFileSync(path);

describe("with TLS and tokens, a client", () => {
  test("may do what its token allows", async () => {
    const { url, ca } = await serveSecurely(["read", "append"]);
    await using client = await connect(url, { ca, token: TOKEN });
    expect(await client.append("own-k", "v")).toBe(0);
    expect(await client.producer().send("own-k", "w")).toEqual({ offset: 1 });
    expect(await codeOf(client.append("other", "v"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.producer().send("other", "v"))).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.read("other", 0))).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.consumer({ keys: ["other"] }).poll())).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.deleteBefore("own-k", 1))).toBe("PERMISSION_DENIED");
    expect(await client.keys()).toEqual(["own-k"]);
    expect((await client.read("own-k", 0)).records.length).toBe(2);
  });

  test("is told that its token is missing or wrong, at once and by every call", async () => {
    const { url, ca } = await serveSecurely(["read", "append"]);
    for (const token of [undefined, "wrong-token"]) {
      await using client = await connect(url, { ca, token });
      const failures = await Promise.all([
        failureOf(client.append("own-k", "v")),
        failureOf(client.appendBatch("own-k", ["v"])),
        failureOf(client.producer().send("own-k", "v")),
        failureOf(client.producer({ name: "own-p" }).send("own-k", "v")),
        failureOf(client.read("own-k", 0)),
        failureOf(client.consumer({ keys: ["own-k"] }).poll()),
        failureOf(client.follow("own-k")[Symbol.asyncIterator]().next()),
        failureOf(client.group("g").commit({ "own-k": 0 })),
      ]);
      for (const { code, message } of failures) {
        expect(code).toBe("UNAUTHENTICATED");
        expect(message).toMatch(/token/i);
        expect(message).not.toContain("wrong-token");
      }
    }
  });

  test("trusts only the authority that it was told", async () => {
    const { url } = await serveSecurely(["read"]);
    const stranger = read(new Authority("stranger").certificate);
    for (const options of [{}, { ca: stranger }]) {
      const error = await failureOf(connect(url, { token: TOKEN, ...options }));
      expect(error.code).toBe("UNAVAILABLE");
      expect(error.message).toMatch(/certificate|self-signed|issuer/i);
      expect(error.message).toContain("give the certificates to check the server's against (ca)");
    }
  });

  test("learns that the server's address begins otherwise", async () => {
    const { url } = await serveSecurely(["read"]);
    const inClearText = await failureOf(connect(url.replace("https:", "http:")));
    expect(inClearText.code).toBe("UNAVAILABLE");
    expect(inClearText.message).toContain("if the server speaks TLS, use https://");
    const store = await RemoteStore.start();
    const overTls = await failureOf(connect(store.url.replace("http:", "https:")));
    expect(overTls.code).toBe("UNAVAILABLE");
    expect(overTls.message).toContain("if the server has no certificate, use http://");
    expect(overTls.message).not.toMatch(/openssl|SSL routines/);
  });

  test("learns what TLS failed with, without the places in OpenSSL's sources", async () => {
    const clients = new Authority("clients");
    const options = { clientAuthorities: clients.certificate };
    const { url, ca } = await serveSecurely(["read"], options);
    const error = await failureOf(connect(url, { ca }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toMatch(/: TLS failed: .*certificate required\. Check/);
  });
});
