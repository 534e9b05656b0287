import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code, type ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { type SeglogServer, type ServeOptions, serve } from "../../src/server/index.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toBatch } from "../../src/wire/records.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";
import { Authority, type Issued } from "./certificates.js";
import { failureOf } from "./service-host.js";

async function started(options: Partial<ServeOptions>): Promise<SeglogServer> {
  const server = await serve({ directory: newPath(), port: 0, ...options });
  onTestFinished(() => server.close().catch(() => undefined));
  return server;
}

function writeTokens(path: string, ...tokens: { token: string; prefix: string }[]): string {
  const entries = tokens.map(({ token, prefix }) => ({
    name: `holder of ${prefix}`,
    sha256: createHash("sha256").update(token).digest("hex"),
    rights: ["read", "append"],
    prefix,
  }));
  writeFileSync(path, JSON.stringify({ tokens: entries }), { mode: 0o600 });
  return path;
}

function tokenFile(...tokens: { token: string; prefix: string }[]): string {
  return writeTokens(join(temporaryDirectory(), "tokens.json"), ...tokens);
}

function withToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

function clients(url: string, interceptors: Interceptor[], nodeOptions = {}) {
  const options = { baseUrl: url, interceptors, nodeOptions };
  return [
    createClient(LogService, createGrpcTransport(options)),
    createClient(LogService, createConnectTransport({ ...options, httpVersion: "1.1" })),
  ] as const;
}

async function codeOf(call: Promise<unknown>): Promise<Code> {
  return ((await failureOf(call)) as ConnectError).code;
}

describe("tokens", () => {
  it("let in who has one, to the keys that it is for", async () => {
    const tokens = tokenFile({ token: "s3cret", prefix: "a/" });
    const { url } = await started({ tokens });
    for (const client of clients(url, [withToken("s3cret")])) {
      await client.append({ key: "a/k", ...toBatch(["a"]) });
      expect(await codeOf(client.append({ key: "b", ...toBatch(["a"]) }))).toBe(
        Code.PermissionDenied,
      );
    }
  });

  it("keep out who has none or a wrong one, over every protocol", async () => {
    const { url } = await started({ tokens: tokenFile({ token: "s3cret", prefix: "" }) });
    for (const interceptors of [[], [withToken("wrong")]]) {
      for (const client of clients(url, interceptors)) {
        const error = (await failureOf(client.listKeys({}))) as ConnectError;
        expect([error.code, error.rawMessage]).toEqual([
          Code.Unauthenticated,
          expect.stringMatching(/^The server (wants a token|does not know the token)/),
        ]);
        const stream = client.follow({ keys: [{ key: "k" }] })[Symbol.asyncIterator]();
        expect(await codeOf(stream.next())).toBe(Code.Unauthenticated);
      }
    }
    const plain = await fetch(`${url}/seglog.v1.LogService/ListKeys`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(plain.status).toBe(401);
    expect(await plain.json()).toMatchObject({ code: "unauthenticated" });
  });

  it("are read again when it is told, or stay as they were", async () => {
    const tokens = tokenFile({ token: "old", prefix: "" });
    const server = await started({ tokens });
    const [before] = clients(server.url, [withToken("old")]);
    await before.listKeys({});
    writeFileSync(tokens, "{");
    await expect(server.reload()).rejects.toThrow(/is no file of tokens/);
    await before.listKeys({});
    writeTokens(tokens, { token: "new", prefix: "" });
    await server.reload();
    const [after] = clients(server.url, [withToken("old")]);
    expect(await codeOf(after.listKeys({}))).toBe(Code.Unauthenticated);
    await clients(server.url, [withToken("new")])[0].listKeys({});
  });
});

describe("TLS", () => {
  const authority = () => new Authority("ours");
  const trust = ({ certificate }: Authority, own?: Issued) => ({
    ca: readFileSync(certificate),
    ...(own && { cert: readFileSync(own.certificate), key: readFileSync(own.key) }),
  });

  it("is spoken over HTTP/1.1 and HTTP/2", async () => {
    const ours = authority();
    const { url } = await started({ tls: ours.issue("server") });
    expect(url).toMatch(/^https:/);
    for (const client of clients(url, [], trust(ours))) {
      expect((await client.listKeys({})).keys).toEqual([]);
    }
  });

  it("asks for certificates of clients, and knows those that were revoked", async () => {
    const ours = authority();
    const [good, bad] = [ours.issue("good"), ours.issue("bad")];
    const tls = {
      ...ours.issue("server"),
      clientAuthorities: ours.certificate,
      revoked: ours.revocationList(),
    };
    const server = await started({ tls });
    for (const own of [good, bad]) {
      for (const client of clients(server.url, [], trust(ours, own))) await client.listKeys({});
    }
    for (const client of clients(server.url, [], trust(ours))) await failureOf(client.listKeys({}));
    ours.revoke(bad);
    await server.reload();
    for (const client of clients(server.url, [], trust(ours, good))) await client.listKeys({});
    for (const client of clients(server.url, [], trust(ours, bad))) {
      await failureOf(client.listKeys({}));
    }
  });
});

describe("an address that others can reach", () => {
  it("is refused without protection, before the store is touched", async () => {
    const directory = newPath();
    await expect(serve({ directory, port: 0, host: "0.0.0.0" })).rejects.toThrow(/insecure/);
    await expect(started({ directory, insecure: 1 as never })).rejects.toThrow(/insecure must be/);
    await expect(started({ tls: {} as never })).rejects.toThrow(/tls.certificate/);
  });
});
