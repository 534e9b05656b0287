import { once } from "node:events";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { checkTlsFiles, readTlsFiles, type TlsFiles } from "../../src/server/tls-files.js";
import { codeOf } from "../support/failure.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { Authority, type Issued } from "./certificates.js";
import {
  connect2,
  dial,
  type Given,
  openListener,
  received,
  request1,
  request2,
} from "./sockets.js";

async function openTls(files: TlsFiles, given: Given = {}) {
  return openListener({ tls: await readTlsFiles(files), ...given });
}

/** What a client that trusts `authority` and shows `issued` needs. */
function trusting(authority: Authority, issued?: Issued) {
  const shown = issued && { cert: readFileSync(issued.certificate), key: readFileSync(issued.key) };
  return { ca: readFileSync(authority.certificate), isEncrypted: true, agent: false, ...shown };
}

describe("a listener with TLS", () => {
  it("serves HTTP/1.1 and HTTP/2, as the client wishes", async () => {
    const authority = new Authority("own");
    const { port } = await openTls(authority.issue("server"));
    expect((await request1(port, "/a", trusting(authority))).body).toBe("1.1 /a");
    const session = await connect2(port, trusting(authority));
    expect((await request2(session, "/b")).body).toBe("2.0 /b");
  });

  it("refuses clear text, garbage and old versions, and lives on", async () => {
    const authority = new Authority("own");
    const reasons: string[] = [];
    const onRefused = (reason: string) => reasons.push(reason);
    const { port } = await openTls(authority.issue("server"), {
      onRefused,
      limits: { headersMs: 200 },
    });
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0", "\x16\x03\x01\x00\x05hello"]) {
      const socket = await dial(port);
      socket.end(bytes);
      await received(socket);
    }
    const old = connect({
      port,
      ...trusting(authority),
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
    });
    await expect(once(old, "secureConnect")).rejects.toThrow();
    expect(reasons.filter((reason) => reason.startsWith("the TLS handshake failed"))).toHaveLength(
      4,
    );
    expect((await request1(port, "/", trusting(authority))).status).toBe(200);
  });

  it("closes who does not end the handshake", async () => {
    const authority = new Authority("own");
    const { port } = await openTls(authority.issue("server"), { limits: { headersMs: 50 } });
    expect(await received(await dial(port))).toBe("");
  });

  it("does not wait for handshakes when it stops", async () => {
    const authority = new Authority("own");
    const listener = await openTls(authority.issue("server"), { limits: { shutdownMs: 50 } });
    await dial(listener.port);
    await request1(listener.port, "/", trusting(authority));
    await listener.close();
  });
});

describe("client certificates", () => {
  it("are needed once there are authorities for them", async () => {
    const authority = new Authority("own");
    const clientAuthorities = authority.certificate;
    const { port } = await openTls({ ...authority.issue("server"), clientAuthorities });
    const client = trusting(authority, authority.issue("client"));
    expect((await request1(port, "/", client)).status).toBe(200);
    expect((await request2(await connect2(port, client), "/")).status).toBe(200);

    const stranger = { ...trusting(authority, new Authority("other").issue("client")) };
    for (const wrong of [trusting(authority), stranger]) {
      await expect(request1(port, "/", wrong)).rejects.toThrow();
    }
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("are refused once revoked, %s", async (version) => {
    const authority = new Authority("own");
    const [kept, lost] = [authority.issue("kept"), authority.issue("lost")];
    const files = {
      ...authority.issue("server"),
      clientAuthorities: authority.certificate,
      revoked: authority.revocationList(),
    };
    const reasons: string[] = [];
    const listener = await openTls(files, { onRefused: (reason) => reasons.push(reason) });
    const { port } = listener;
    const only = { minVersion: version, maxVersion: version };
    const client = { ...trusting(authority, lost), ...only };
    const open = await connect2(port, client);
    expect((await request2(open, "/")).status).toBe(200);
    const ticket = await ticketOf(connect({ port, host: "127.0.0.1", ...client }));

    authority.revoke(lost);
    const closed = once(open, "close");
    listener.renew(await readTlsFiles(files));
    await closed;
    await expect(request1(port, "/", client)).rejects.toThrow();
    await expect(request1(port, "/", { ...client, session: ticket } as object)).rejects.toThrow();
    expect((await request1(port, "/", { ...trusting(authority, kept), ...only })).status).toBe(200);
    expect(reasons).toEqual(Array(2).fill("the TLS handshake failed: CERT_REVOKED"));
  });

  it("are refused once revoked, also when the handshake had begun before", async () => {
    const authority = new Authority("own");
    const lost = authority.issue("lost");
    const files = {
      ...authority.issue("server"),
      clientAuthorities: authority.certificate,
      revoked: authority.revocationList(),
    };
    const listener = await openTls(files);
    const raw = await dial(listener.port);
    while (listener.connections === 0) await setImmediate();
    authority.revoke(lost);
    listener.renew(await readTlsFiles(files));
    expect(await received(raw)).toBe("");
  });

  it("are refused once their authority is taken away", async () => {
    const [authority, other] = [new Authority("own"), new Authority("other")];
    const clientAuthorities = join(temporaryDirectory(), "authorities.pem");
    const both = [authority, other].map(({ certificate }) => readFileSync(certificate, "utf8"));
    writeFileSync(clientAuthorities, both.join(""));
    const files = { ...authority.issue("server"), clientAuthorities };
    const listener = await openTls(files);
    const client = trusting(authority, other.issue("client"));
    expect((await request1(listener.port, "/", client)).status).toBe(200);

    copyFileSync(authority.certificate, clientAuthorities);
    listener.renew(await readTlsFiles(files));
    await expect(request1(listener.port, "/", client)).rejects.toThrow();
  });
});

describe("files for TLS", () => {
  it.each<[string, object, string]>([
    ["no certificate", { key: "a" }, "tls.certificate must be the path of a file"],
    ["an empty path", { certificate: "a", key: "" }, "tls.key must be the path of a file"],
    ["something unknown", { certificate: "a", key: "b", ca: "c" }, "Unknown option of tls"],
    ["revocation without authorities", { certificate: "a", key: "b", revoked: "c" }, "needs tls."],
  ])("are refused: %s", (_, files, message) => {
    expect(() => checkTlsFiles(files as TlsFiles)).toThrow(message);
  });

  it("must go together", async () => {
    const authority = new Authority("own");
    const files = { ...authority.issue("server"), key: authority.issue("other").key };
    await expect(readTlsFiles(files)).rejects.toThrow("cannot be used for TLS");
  });

  it("must be there, and what they say they are", async () => {
    const authority = new Authority("own");
    const files = authority.issue("server");
    expect(await codeOf(readTlsFiles({ ...files, key: "/nowhere" }))).toBe("IO_ERROR");
    const clientAuthorities = authority.certificate;
    const wrong = { ...files, clientAuthorities, revoked: files.certificate };
    await expect(readTlsFiles(wrong)).rejects.toThrow("holds no revocation list");
  });

  it("must be private, the key", async () => {
    const files = new Authority("own").issue("server");
    chmodSync(files.key, 0o644);
    expect(await codeOf(readTlsFiles(files))).toBe("UNSAFE_PATH");
    chmodSync(files.key, 0o640);
    await readTlsFiles(files);
  });
});

/** What lets a client resume its session without showing its certificate again. */
async function ticketOf(socket: TLSSocket): Promise<Buffer | undefined> {
  let ticket: Buffer | undefined;
  socket.on("session", (session) => {
    ticket = session;
  });
  socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  return ticket;
}
