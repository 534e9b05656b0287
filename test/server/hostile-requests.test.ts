import { once } from "node:events";
import { connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../src/server/index.js";
import { AppendRequestSchema } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toBatch } from "../../src/wire/records.js";
import { openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";

/** A server, and a way to send it any body. */
async function started() {
  const store = await openStore(newPath(), { durability: "os" });
  const server = await serve({ store, port: 0, limits: { maxMessageBytes: 10_000 } });
  const session = connect(server.url);
  onTestFinished(async () => {
    session.destroy();
    await server.close();
  });
  /** @returns The status of gRPC, or that of HTTP if it is another one. */
  const send = async (method: string, type: string, body: Uint8Array) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/seglog.v1.LogService/${method}`,
      "content-type": type,
      te: "trailers",
    });
    let status: unknown;
    const look = (headers: Record<string, unknown>) => {
      status = headers["grpc-status"] ?? status ?? headers[":status"];
    };
    stream.on("response", look);
    stream.on("trailers", look);
    stream.on("error", () => undefined);
    stream.resume();
    stream.end(body);
    await once(stream, "close");
    return status;
  };
  return { store, send };
}

function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

const GRPC = "application/grpc+proto";
const TYPES = [GRPC, "application/grpc-web+proto", "application/proto", "application/json"];

describe("a request", () => {
  const message = toBinary(
    AppendRequestSchema,
    create(AppendRequestSchema, { key: "k", ...toBatch(["first", { value: "second", key: "K" }]) }),
  );

  it.each(["Append", "AppendStream"])("of %s that is cut off stores nothing", async (method) => {
    const { store, send } = await started();
    const frame = framed(message);
    for (let length = 1; length < frame.length; length++) {
      const status = await send(method, GRPC, frame.subarray(0, length));
      // A stream that ends behind a length looks to Connect like one without requests.
      if (method === "Append") expect(status).not.toBe("0");
    }
    expect(store.keys()).toEqual([]);
    expect(await send(method, GRPC, frame)).toBe("0");
    expect((await store.read("k", 0)).records).toHaveLength(2);
  });

  it("whose length is a lie is refused before there is room for it", async () => {
    const { send } = await started();
    const frame = framed(message);
    new DataView(frame.buffer).setUint32(1, 2 ** 32 - 1);
    expect(await send("Append", GRPC, frame)).not.toBe("0");
  });

  it("with any bytes is answered, and the server goes on", async () => {
    const { store, send } = await started();
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map(framed),
      // A message with some bytes changed.
      fc
        .array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
        .map((changes) => {
          const copy = message.slice();
          for (const [at, byte] of changes) copy[at] = byte;
          return framed(copy);
        }),
    );
    const method = fc.constantFrom(
      "Append",
      "AppendStream",
      "Read",
      "Follow",
      "Commit",
      "ListKeys",
    );
    await fc.assert(
      fc.asyncProperty(method, fc.constantFrom(...TYPES), body, async (name, type, bytes) => {
        // A valid request to follow would go on.
        if (name === "Follow" && type.includes("grpc") && bytes[5] === 0x0a) return;
        expect(await send(name, type, bytes)).toBeDefined();
      }),
      { numRuns: 300 },
    );
    expect(await send("Append", GRPC, framed(message))).toBe("0");
    expect(store.keys()).toContain("k");
  });
});
