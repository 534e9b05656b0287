import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TcpProxy } from "./tcp-proxy.js";

let echo: Server;
let proxy: TcpProxy;
/** Sockets of the echo that were ended by the other side. */
let ended: number;

beforeEach(async () => {
  ended = 0;
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("end", () => ended++);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  proxy = await TcpProxy.start((echo.address() as { port: number }).port);
});

afterEach(async () => {
  await proxy.stop();
  echo.close();
});

async function dial(): Promise<Socket> {
  const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

describe("a proxy", () => {
  test("passes everything on, both ways, to the end", async () => {
    const socket = await dial();
    proxy.delayMs = 1;
    socket.end("hello ".repeat(50_000));
    expect((await text(socket)).length).toBe(300_000);
    expect(ended).toBe(1);
  });

  test("cuts after so many bytes", async () => {
    const socket = await dial();
    const failed = once(socket, "error");
    const cut = proxy.cutAfter(10);
    socket.write("0123456789 and more");
    await cut;
    expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
    expect(proxy.connections).toBe(0);
    const again = await dial();
    again.end("it goes on");
    expect(await text(again)).toBe("it goes on");
  });

  test("ends one direction", async () => {
    const socket = await dial();
    socket.write("x");
    await once(socket, "data");
    proxy.halfClose("down");
    await once(socket, "end");
    expect(ended).toBe(0);
    socket.destroy();
  });
});
