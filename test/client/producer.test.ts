import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import type { OpenAppendStream } from "../../src/client/lane-stream.js";
import { Producer, type SendOutcome } from "../../src/client/producer.js";
import { type ProducerOptions, resolveProducerOptions } from "../../src/client/producer-options.js";
import { SeglogError } from "../../src/errors.js";
import { codeOf, failureOf } from "../support/failure.js";
import { ModelServer, tooLongForProtocol } from "./model-server.js";
import { virtualClock } from "./virtual-clock.js";

const ANSWER_TIMEOUT_MS = 1000;

function produce(server: Pick<ModelServer, "openStream">, options: ProducerOptions = {}): Producer {
  const transport = {
    openStream: server.openStream,
    openProducer: async () => ({ id: 7n, epoch: 3 }),
    stored: () => expect.fail("nobody asks"),
  };
  return new Producer(
    transport,
    resolveProducerOptions(options),
    ANSWER_TIMEOUT_MS,
    () => undefined,
  );
}

describe("batches", () => {
  test("are sent when they are full, and after the linger time", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { lingerMs: 1000, batchBytes: 40 });
    const letters = [..."abcdefghijklmnopqr"].map((letter) => letter.repeat(10));
    const sent = letters.map((letter) => producer.send("k", letter));
    await clock.tickAsync(999);
    expect(server.received.map((text) => text.split(" ").length - 1)).toEqual([4, 4, 4, 4]);
    await clock.tickAsync(10);
    expect(server.logs.get("k")).toEqual(letters);
    expect(server.received.length).toBe(5);
    expect(await Promise.all(sent)).toEqual(letters.map((_, offset) => ({ offset })));
  });

  test("without a linger time hold what came until the connection takes them", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { maxInFlight: 1 });
    for (const value of ["a", "b", "c"]) void producer.send("k", value);
    await clock.tickAsync(0);
    for (const value of ["d", "e"]) void producer.send("k", value);
    await clock.tickAsync(10);
    expect(server.received).toEqual(["k: a b c", "k: d e"]);
  });

  test("do not hold a record that is longer than a batch together with others", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { batchBytes: 5 });
    const long = "x".repeat(100);
    for (const value of ["a", "b", long, "c"]) void producer.send("k", value);
    await clock.tickAsync(10);
    expect(server.received).toEqual(["k: a b", `k: ${long}`, "k: c"]);
  });

  test("are copies: the caller may use its buffers again", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server);
    const bytes = Buffer.from("before");
    void producer.send("k", bytes);
    void producer.send("k", { value: bytes, key: bytes, headers: [["h", bytes]] });
    bytes.fill("x");
    await clock.tickAsync(10);
    expect(server.logs.get("k")).toEqual(["before", "before"]);
  });

  test("hold records with and without keys, in order", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = ({ records, pack }) => {
      expect(pack).toBeUndefined();
      expect(records[1]).toMatchObject({ timestampMs: 17n });
      expect(records[2]!.headers[0]!.name).toBe("ü");
      return "answer";
    };
    const producer = produce(server);
    void producer.send("k", "a");
    void producer.send("k", { value: "b", timestamp: 17 });
    void producer.send("k", { value: "c", headers: { ü: "1" } });
    void producer.send("k", "d");
    await clock.tickAsync(10);
    expect(server.received).toEqual(["k: a b c d"]);
  });

  test("of other keys go on while one key has to wait", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = ({ key }) => (key === "full" ? "NO_SPACE" : "answer");
    const producer = produce(server);
    const stuck = producer.send("full", "a", () => undefined);
    stuck.catch(() => undefined);
    const offsets = [producer.send("k", "b"), producer.send("k", "c")];
    await clock.tickAsync(10);
    expect(await Promise.all(offsets)).toEqual([{ offset: 0 }, { offset: 1 }]);
  });
});

describe("a callback", () => {
  test("is told of an offset or an error", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = (_, values) => (values.includes("bad") ? "RECORD_TOO_LARGE" : "answer");
    const producer = produce(server, { batchBytes: 1 });
    const outcomes: SendOutcome[] = [];
    for (const value of ["a", "bad", "c"])
      void producer.send("k", value, (it) => outcomes.push(it));
    await clock.tickAsync(100);
    expect(outcomes).toMatchObject([
      { key: "k", offset: 0, error: undefined },
      { key: "k", offset: undefined, error: { code: "RECORD_TOO_LARGE" } },
      { key: "k", offset: 1, error: undefined },
    ]);
  });

  test("that throws is told to onError and breaks nothing", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const onError = vi.fn();
    const producer = produce(server, { onError });
    const thrown = new Error("mine");
    const first = producer.send("k", "a", () => {
      throw thrown;
    });
    const second = producer.send("k", "b");
    await clock.tickAsync(10);
    expect(await Promise.all([first, second])).toEqual([{ offset: 0 }, { offset: 1 }]);
    expect(onError.mock.calls).toEqual([[thrown]]);
  });

  test("may send and close", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server);
    let closed: Promise<void> | undefined;
    void producer.send("k", "a", () => {
      void producer.send("k", "b");
      closed = producer.close();
    });
    await clock.tickAsync(100);
    await closed;
    expect(server.logs.get("k")).toEqual(["a", "b"]);
  });
});

describe("a rejected promise that nobody looks at", () => {
  async function rejections(run: (producer: Producer) => void, options: ProducerOptions) {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = () => "RECORD_TOO_LARGE";
    run(produce(server, options));
    await clock.tickAsync(100);
    clock.uninstall();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    return unhandled.mock.calls.length;
  }

  test("is no unhandled rejection with a callback or onError, and is one without", async () => {
    const told = vi.fn();
    expect(await rejections((producer) => void producer.send("k", "a", told), {})).toBe(0);
    expect(told).toHaveBeenCalledTimes(1);
    const onError = vi.fn();
    expect(await rejections((producer) => void producer.send("k", "a"), { onError })).toBe(0);
    expect(onError).toHaveBeenCalledTimes(1);
    expect(await rejections((producer) => void producer.send("k", "a"), {})).toBe(1);
  });
});

describe("the buffer", () => {
  test("lets sends wait in their order, and has room when some were delivered", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { maxBufferedBytes: 400, lingerMs: 60_000 });
    const values = Array.from({ length: 20 }, (_, index) => `value-${index}`);
    const sent = values.map((value) => producer.send("k", value));
    expect(producer.isFull).toBe(true);
    const room = producer.room().then(() => clock.now);
    await clock.tickAsync(200);
    expect(server.logs.get("k")).toEqual(values.slice(0, 20));
    expect((await Promise.all(sent)).length).toBe(20);
    expect(await room).toBeLessThan(200);
    expect(producer.isFull).toBe(false);
  });

  test("refuses what is too much, if it is to", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { maxBufferedBytes: 300, whenFull: "reject" });
    const sent = ["a", "b", "c"].map((value) => producer.send("k", value));
    sent[2]!.catch(() => undefined);
    await clock.tickAsync(10);
    expect(await codeOf(sent[2]!)).toBe("LIMIT_EXCEEDED");
    expect(server.logs.get("k")).toEqual(["a", "b"]);
    void producer.send("k", "d");
    await clock.tickAsync(10);
    expect(server.logs.get("k")).toEqual(["a", "b", "d"]);
  });
});

describe("flush and close", () => {
  test("send at once what lingers, and wait for it", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { lingerMs: 60_000 });
    void producer.send("k", "a");
    void producer.send("l", "b");
    const flushed = producer.flush();
    await clock.tickAsync(100);
    await flushed;
    expect(server.received).toEqual(["k: a", "l: b"]);
    void producer.send("k", "c");
    const closed = producer.close();
    expect(producer.close()).toBe(closed);
    await clock.tickAsync(100);
    await closed;
    expect(server.logs.get("k")).toEqual(["a", "c"]);
    const late = producer.send("k", "d");
    late.catch(() => undefined);
    expect(await codeOf(late)).toBe("CLOSED");
    expect(clock.countTimers()).toBe(0);
  });

  test("of nothing resolve at once", async () => {
    const producer = produce(new ModelServer());
    await producer.flush();
    await producer.close();
  });

  test("wait until everything is given up when there is no server", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.isUp = () => false;
    const producer = produce(server, { deliveryTimeoutMs: 5000 });
    const sent = producer.send("k", "a");
    sent.catch(() => undefined);
    const closed = producer.close();
    await clock.tickAsync(5001);
    await closed;
    const error = await sent.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(SeglogError);
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expect(String(error)).toContain("They are not stored");
    expect(clock.countTimers()).toBe(0);
  });
});

describe("a batch that is refused", () => {
  test("fails alone: the next ones take its numbers", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = (_, values) => (values.includes("bad") ? "RECORD_TOO_LARGE" : "answer");
    const producer = produce(server, { batchBytes: 2 });
    const values = ["a", "b", "c", "bad", "d", "e", "f", "g"];
    const sent = values.map((value) => producer.send("k", value));
    for (const each of sent) each.catch(() => undefined);
    await clock.tickAsync(1000);
    expect(await codeOf(sent[3]!)).toBe("RECORD_TOO_LARGE");
    expect(server.logs.get("k")).toEqual(values.filter((value) => value !== "bad"));
  });

  test("is taken apart until the record that is at fault stands alone", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = (_, values) => (values.includes("bad") ? "RECORD_TOO_LARGE" : "answer");
    const producer = produce(server, { lingerMs: 10 });
    const values = ["a", "b", "bad", "c", "d", "e", "f"];
    const sent = values.map((value) => producer.send("k", value));
    for (const each of sent) each.catch(() => undefined);
    const flushed = producer.flush();
    await clock.tickAsync(1000);
    await flushed;
    expect(await codeOf(sent[2]!)).toBe("RECORD_TOO_LARGE");
    expect(server.logs.get("k")).toEqual(values.filter((value) => value !== "bad"));
    expect((await sent[3]!).offset).toBe(2);
  });

  test("because the server forgot the producer goes on under another epoch", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server);
    void producer.send("k", "a");
    await clock.tickAsync(10);
    server.forget();
    const sent = producer.send("k", "b");
    await clock.tickAsync(10);
    expect(await sent).toEqual({ offset: 1 });
  });

  test("ends a producer with a name, which shares its epochs with others", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = (request) => {
      expect(request.producer).toMatchObject({ id: 7n, epoch: 3 });
      return "answer";
    };
    const producer = produce(server, { name: "importer" });
    void producer.send("k", "a");
    await clock.tickAsync(10);
    server.forget();
    const sent = [producer.send("k", "b"), producer.send("l", "c")];
    for (const each of sent) each.catch(() => undefined);
    await clock.tickAsync(10);
    expect(await codeOf(sent[0]!)).toBe("SEQUENCE_GAP");
    expect(await codeOf(producer.send("l", "d"))).toBe("SEQUENCE_GAP");
  });

  test("because a later producer of its name was opened ends the producer", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce(server, { name: "importer" });
    server.fate = () => "PRODUCER_FENCED";
    const sent = [producer.send("k", "b"), producer.send("l", "c")];
    for (const each of sent) each.catch(() => undefined);
    await clock.tickAsync(10);
    expect(await codeOf(sent[0]!)).toBe("PRODUCER_FENCED");
    expect(await codeOf(sent[1]!)).toBe("PRODUCER_FENCED");
    expect(await codeOf(producer.send("k", "d"))).toBe("PRODUCER_FENCED");
  });
});

describe("a batch whose outcome is not known", () => {
  test("is sent again under its number and stored once", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let breaks = 3;
    server.fate = () => (breaks-- > 0 ? "break after" : "answer");
    const producer = produce(server, { batchBytes: 1 });
    const sent = ["a", "b", "c", "d"].map((value) => producer.send("k", value));
    await clock.tickAsync(5000);
    expect(await Promise.all(sent)).toEqual([0, 1, 2, 3].map((offset) => ({ offset })));
    expect(server.logs.get("k")).toEqual(["a", "b", "c", "d"]);
  });

  test("is given up after the delivery timeout, with those behind it; later ones go on", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let isDown = true;
    server.fate = () => (isDown ? "break, then arrive late" : "answer");
    server.delayMs = () => 100;
    const producer = produce(server, { batchBytes: 1, deliveryTimeoutMs: 3000, maxInFlight: 2 });
    const lost = ["a", "b"].map((value) => producer.send("k", value));
    for (const each of lost) each.catch(() => undefined);
    await clock.tickAsync(2900);
    const next = producer.send("k", "c");
    await clock.tickAsync(101);
    expect(await codeOf(lost[0]!)).toBe("TIMEOUT");
    isDown = false;
    await clock.tickAsync(5000);
    expect(["TIMEOUT", "UNAVAILABLE"]).toContain(await codeOf(lost[1]!));
    await next;
    // The copies that came late are not stored behind what was sent after them.
    const log = server.logs.get("k")!;
    expect(log.at(-1)).toBe("c");
    expect(new Set(log).size).toBe(log.length);
  });

  test("takes no record any more once its time is up", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.isUp = () => false;
    // There is room for one record only: the others come in when the first one is given up.
    const producer = produce(server, { deliveryTimeoutMs: 100, maxBufferedBytes: 129 });
    const outcomes: unknown[] = [];
    for (const value of ["a", "b", "c"]) {
      void producer.send("k", value, ({ error }) => outcomes.push(error));
    }
    await clock.tickAsync(500);
    const failure = { code: "UNAVAILABLE" };
    expect(outcomes).toMatchObject([failure, failure, failure]);
  });

  test("is sent again when the server has not answered for too long", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let silences = 1;
    server.fate = () => (silences-- > 0 ? "silence" : "answer");
    const sent = produce(server).send("k", "a");
    await clock.tickAsync(ANSWER_TIMEOUT_MS + 100);
    expect(await sent).toEqual({ offset: 0 });
    expect(server.streams).toBe(2);
  });
});

describe("a batch on a slow line", () => {
  /** Takes the next request only when the one before has arrived. */
  function slowly(server: ModelServer, delayMs: number): OpenAppendStream {
    return (requests, signal) => {
      const arriving = async function* () {
        for await (const request of requests) {
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          yield request;
        }
      };
      return server.openStream(arriving(), signal);
    };
  }

  test("has the time for delivery to get there, and is sent once", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const producer = produce({ openStream: slowly(server, 5 * ANSWER_TIMEOUT_MS) });
    const sent = [producer.send("k", "a"), producer.send("l", "b")];
    await clock.tickAsync(12 * ANSWER_TIMEOUT_MS);
    expect(await Promise.all(sent)).toEqual([{ offset: 0 }, { offset: 0 }]);
    expect(server.streams).toBe(1);
    expect(server.received.length).toBe(2);
  });

  test("that takes nothing at all is sent on another one in the end", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let streams = 0;
    const openStream: OpenAppendStream = (requests, signal) => {
      streams++;
      const delayMs = streams === 1 ? 1_000_000 : 1;
      return slowly(server, delayMs)(requests, signal);
    };
    const producer = produce({ openStream }, { deliveryTimeoutMs: 5000 });
    const lost = codeOf(producer.send("k", "a"));
    await clock.tickAsync(5001);
    expect(await lost).toBe("TIMEOUT");
    const next = producer.send("l", "b");
    await clock.tickAsync(3000);
    expect(await next).toEqual({ offset: 0 });
  });
});

describe("a batch whose answer makes no sense", () => {
  test("is sent again, and stored once", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let isWrong = true;
    const openStream: OpenAppendStream = async function* (requests, signal) {
      for await (const answer of server.openStream(requests, signal)) {
        const { result } = answer;
        if (isWrong && result.case === "appended") result.value.baseOffset = 2n ** 63n;
        isWrong = false;
        yield answer;
      }
    };
    const sent = produce({ openStream }).send("k", "a");
    await clock.tickAsync(5000);
    expect(await sent).toEqual({ offset: 0 });
    expect(server.logs.get("k")).toEqual(["a"]);
  });
});

describe("a batch that breaks its stream", () => {
  test("costs the batches of other keys nothing", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.breakage = (_, values) =>
      values.includes("monster") ? tooLongForProtocol() : undefined;
    const producer = produce(server);
    const others = ["k", "l", "m"].map((key) => producer.send(key, "a"));
    const monster = producer.send("n", "monster");
    monster.catch(() => undefined);
    others.push(...["k", "l", "m"].map((key) => producer.send(key, "b")));
    await clock.tickAsync(5000);
    expect(await codeOf(monster)).toBe("BATCH_TOO_LARGE");
    expect(await Promise.all(others)).toMatchObject(
      [0, 0, 0, 1, 1, 1].map((offset) => ({ offset })),
    );
  });

  test.each([undefined, "importer"])(
    "costs those of its key nothing either (name %s)",
    async (name) => {
      const clock = virtualClock();
      const server = new ModelServer();
      server.breakage = (_, values) =>
        values.includes("monster") ? tooLongForProtocol() : undefined;
      const producer = produce(server, { batchBytes: 8, name });
      const values = ["12345678", "a", "monster", "b", "c", "d", "87654321"];
      const sent = values.map((value) => producer.send("k", value));
      const other = producer.send("l", "x");
      for (const each of sent) each.catch(() => undefined);
      await clock.tickAsync(10_000);
      expect(await codeOf(sent[2]!)).toBe("BATCH_TOO_LARGE");
      expect(server.logs.get("k")).toEqual(values.filter((value) => value !== "monster"));
      expect(await other).toEqual({ offset: 0 });
      const later = producer.send("k", "later");
      await clock.tickAsync(10);
      expect(await later).toEqual({ offset: 6 });
    },
  );

  test("because of a limit that is reached for now is sent again", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const calm = new ConnectError("closed with ENHANCE_YOUR_CALM", Code.ResourceExhausted);
    const limits = [new SeglogError("LIMIT_EXCEEDED", "too many connections"), calm];
    server.breakage = () => limits.shift();
    const sent = produce(server).send("k", "a");
    await clock.tickAsync(5000);
    expect(await sent).toEqual({ offset: 0 });
  });
});

describe("a producer with a name that was fenced", () => {
  test("fails also what waits for room", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    server.fate = () => "PRODUCER_FENCED";
    const producer = produce(server, { name: "importer", maxBufferedBytes: 300 });
    const keys = ["k", "k", "l", "k", "k", "l", "m"];
    const codes: (string | undefined)[] = [];
    for (const key of keys) void codeOf(producer.send(key, "value")).then((it) => codes.push(it));
    await clock.tickAsync(1000);
    expect(codes).toEqual(keys.map(() => "PRODUCER_FENCED"));
    expect(await codeOf(producer.send("k", "later"))).toBe("PRODUCER_FENCED");
    await producer.close();
    await clock.tickAsync(1000);
    expect(clock.countTimers()).toBe(0);
  });
});

describe("a producer with a name, while there is no server,", () => {
  test("says in time that it does not know where it stands", async () => {
    const clock = virtualClock();
    const transport = {
      openStream: new ModelServer().openStream,
      openProducer: () => Promise.reject(new SeglogError("UNAVAILABLE", "nobody listens")),
      stored: () => expect.fail("it has no identity"),
    };
    const options = resolveProducerOptions({ name: "importer" });
    const producer = new Producer(transport, options, ANSWER_TIMEOUT_MS, () => undefined);
    const asked = failureOf(producer.lastOffset("k"));
    await clock.tickAsync(ANSWER_TIMEOUT_MS);
    const error = await asked;
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("nobody listens");
    const closed = producer.close();
    await clock.tickAsync(2000);
    await closed;
  });
});
