import { createServer, type Socket } from "node:net";
import { connect } from "seglog/client";
import { expect, onTestFinished, test, vi } from "vitest";
import { HttpSession } from "../../src/client/http-session.js";
import { codeOf, failureOf } from "../support/failure.js";
import { RemoteStore } from "./remote.js";

const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const RESPONSE = Buffer.from("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");

/** What a peer does that is no server of ours. */
const PEERS: Readonly<Record<string, (socket: Socket) => void>> = {
  garbage: (socket) => socket.write(Buffer.alloc(100, "A")),
  "garbage after its settings": (socket) =>
    socket.write(Buffer.concat([SETTINGS, Buffer.alloc(99, 255)])),
  "HTTP/1.1": (socket) => socket.end(RESPONSE),
  "an end": (socket) => socket.end(),
  "a reset": (socket) => socket.resetAndDestroy(),
  "GOAWAY and an end": (socket) => socket.end(Buffer.concat([SETTINGS, GOAWAY])),
  GOAWAY: (socket) => socket.write(Buffer.concat([SETTINGS, GOAWAY])),
  "half a frame and a reset": (socket) =>
    socket.write(SETTINGS.subarray(0, 5), () => socket.resetAndDestroy()),
};

async function peer(act: (socket: Socket) => void, port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    act(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as { port: number }).port;
}

/** When it acts: at once, at the first bytes, after some of them, or when all is quiet. */
const MOMENTS: readonly ((act: () => void, socket: Socket) => void)[] = [
  (act) => act(),
  (act, socket) => socket.once("data", act),
  (act, socket) => socket.once("data", () => setImmediate(act)),
  (act, socket) => {
    socket.write(SETTINGS);
    socket.once("data", () => setImmediate(() => setImmediate(act)));
  },
  (act, socket) => {
    socket.write(SETTINGS);
    let count = 0;
    socket.on("data", () => {
      count++;
      if (count === 2) act();
    });
  },
];

test.each(Object.keys(PEERS))(
  "a peer that answers with %s is UNAVAILABLE, and no more",
  async (name) => {
    for (const moment of MOMENTS) {
      const port = await peer((socket) => moment(() => PEERS[name]!(socket), socket));
      const run = async () => {
        await using client = await connect(`http://127.0.0.1:${port}`, { timeoutMs: 300 });
        await client.bounds("k");
      };
      expect(["UNAVAILABLE", "TIMEOUT"]).toContain(await codeOf(run()));
    }
  },
);

test("connect says that a peer does not speak HTTP/2", async () => {
  const port = await peer((socket) => socket.end(RESPONSE));
  const error = await failureOf(connect(`http://127.0.0.1:${port}`));
  expect(error.code).toBe("UNAVAILABLE");
  expect(error.message).toContain(`127.0.0.1:${port}: what answers there does not speak HTTP/2`);
});

test("a client outlives that something else answers in its server's place", async () => {
  const store = await RemoteStore.start();
  const client = await store.connect({ timeoutMs: 500 });
  const producer = client.producer({ deliveryTimeoutMs: 500, onError: () => undefined });
  await producer.send("k", "a");
  const { port } = store;
  await store.stop();
  await peer((socket) => socket.end(RESPONSE), port);
  const calls = [producer.send("k", "b"), client.append("k", "c"), client.bounds("k")];
  for (const code of await Promise.all(calls.map((call) => codeOf(call)))) {
    expect(["UNAVAILABLE", "TIMEOUT"]).toContain(code);
  }
});

const TIMES = { connectTimeoutMs: 50, pingIntervalMs: 20, pingTimeoutMs: 30, windowBytes: 100_000 };

test("a peer that says nothing is given up", async () => {
  const port = await peer((socket) => socket.resume());
  const onClosed = vi.fn();
  const session = new HttpSession(`http://127.0.0.1:${port}`, { ...TIMES, http2: {} }, onClosed);
  await expect(session.opened).rejects.toThrow("nobody who speaks HTTP/2 answered");
  expect(session.isEnding).toBe(true);
  await vi.waitFor(() => expect(onClosed).toHaveBeenCalledTimes(1));
});

test("a peer that falls silent is given up, with its streams or before there are any", async () => {
  const port = await peer((socket) => {
    socket.write(SETTINGS);
    socket.resume();
  });
  for (const isIdle of [true, false]) {
    const options = { ...TIMES, connectTimeoutMs: 5000, http2: {} };
    const session = new HttpSession(`http://127.0.0.1:${port}`, options, () => undefined);
    await session.opened;
    if (isIdle) {
      await vi.waitFor(async () => expect(await session.isAlive()).toBe(false));
    } else {
      const stream = session.request({ ":method": "POST", ":path": "/" });
      const error = await new Promise((resolve) => stream.on("error", resolve));
      expect(String(error)).toContain("no sign of life");
    }
    expect(session.isEnding).toBe(true);
  }
});
