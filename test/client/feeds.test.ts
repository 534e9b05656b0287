import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import type { Calls } from "../../src/client/calls.js";
import type { Connection } from "../../src/client/connection.js";
import { resolveConsumerOptions } from "../../src/client/consumer-options.js";
import { feeds } from "../../src/client/feeds.js";
import {
  type FollowResponse,
  FollowResponseSchema,
  Start,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { codeOf } from "../support/failure.js";

/** A stream of a server that tells what the test says. */
class Stream {
  readonly keys: readonly string[];
  readonly signal: AbortSignal;
  /** How many responses were taken. */
  taken = 0;
  readonly #told: ReadableStream<FollowResponse>;
  #controller: ReadableStreamDefaultController<FollowResponse> | undefined;

  constructor(keys: readonly string[], signal: AbortSignal) {
    this.keys = keys;
    this.signal = signal;
    this.#told = new ReadableStream<FollowResponse>({
      start: (controller) => {
        this.#controller = controller;
      },
    });
    signal.addEventListener("abort", () => this.fail(signal.reason));
  }

  async *responses(): AsyncGenerator<FollowResponse> {
    for await (const response of this.#told) {
      this.taken++;
      yield response;
    }
  }

  tell(key: string): void {
    this.#controller!.enqueue(create(FollowResponseSchema, { key }));
  }

  fail(error: unknown): void {
    this.#controller!.error(error);
  }
}

/** Follows so many keys of a server. */
function followed(count: number) {
  const streams: Stream[] = [];
  const follow: Calls["follow"] = ({ keys }, { signal }) => {
    const stream = new Stream(
      keys!.map(({ key }) => key!),
      signal!,
    );
    streams.push(stream);
    return stream.responses();
  };
  const connection = { calls: { follow }, closing: new AbortController().signal };
  const keys = Array.from({ length: count }, (_, index) => `k${index}`);
  const caller = new AbortController();
  const options = {
    places: new Map(keys.map((key) => [key, undefined])),
    group: undefined,
    start: Start.EARLIEST,
    onOutage: () => undefined,
  };
  const pieces = feeds(connection as unknown as Connection, options, caller.signal);
  const next = async () => (await pieces.next()).value?.key;
  return { keys, streams, pieces, next, caller };
}

/** Lets everything go on that does not wait for a server. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("keys are followed by as many streams as they take, each of them once", async () => {
  const { keys, streams, next, caller } = followed(25_000);
  const first = next();
  await settled();
  expect(streams.map((stream) => stream.keys.length)).toEqual([10_000, 10_000, 5000]);
  expect(streams.flatMap((stream) => stream.keys)).toEqual(keys);
  for (const [stream, key] of [
    [2, "c"],
    [0, "a"],
    [1, "b"],
  ] as const) {
    streams[stream]!.tell(key);
    await settled();
  }
  expect([await first, await next(), await next()]).toEqual(["c", "a", "b"]);
  streams[1]!.tell("b again");
  expect(await next()).toBe("b again");
  caller.abort(new Error("enough"));
  await expect(next()).rejects.toThrow("enough");
});

test("of each stream no more than one piece is fetched ahead", async () => {
  const { streams, next, pieces } = followed(10_001);
  const first = next();
  await settled();
  for (const stream of streams) for (let piece = 0; piece < 5; piece++) stream.tell("k");
  await first;
  await settled();
  expect(streams.map(({ taken }) => taken)).toEqual([1, 1]);
  await next();
  await settled();
  expect(streams.map(({ taken }) => taken)).toEqual([2, 1]);
  await pieces.return();
});

test("a stream that fails for good ends the others", async () => {
  const { streams, next } = followed(20_001);
  const code = codeOf(next());
  await settled();
  streams[1]!.fail(new ConnectError("no", Code.PermissionDenied));
  expect(await code).toBe("PERMISSION_DENIED");
  expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
});

test("who leaves ends all streams", async () => {
  const { streams, next, pieces } = followed(10_001);
  const first = next();
  await settled();
  streams[0]!.tell("k");
  await first;
  await pieces.return();
  expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true]);
});

test("more keys than a connection has streams for are refused", () => {
  const keys = Array.from({ length: 1_000_001 }, (_, index) => `${index}`);
  expect(() => resolveConsumerOptions({ keys })).toThrow(/at most 1000000 keys.*several clients/);
});
