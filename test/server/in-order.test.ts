import { describe, expect, it } from "vitest";
import { inOrder } from "../../src/server/in-order.js";

/** Requests 0, 1, 2 and so on; how many were taken, and how to answer each. */
class Requests {
  readonly begun: number[] = [];
  readonly #answers = new Map<number, () => void>();
  readonly #count: number;
  isEnded = false;

  constructor(count: number) {
    this.#count = count;
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (let request = 0; request < this.#count; request++) yield request;
      await new Promise(() => undefined);
    } finally {
      this.isEnded = true;
    }
  }

  readonly begin = (request: number) => {
    this.begun.push(request);
    return new Promise<number>((resolve) => {
      this.#answers.set(request, () => resolve(request));
    });
  };

  answer(...requests: number[]): void {
    for (const request of requests) this.#answers.get(request)!();
  }
}

/** Lets everything go on that waits for nothing of the test's. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function answering(requests: Requests, maxBytes = 1000) {
  const stopping = new AbortController();
  const answers = inOrder(requests, {
    begin: requests.begin,
    bytesOf: () => 10,
    maxBytes,
    stopping: stopping.signal,
  });
  return { answers, stopping };
}

describe("answers in order", () => {
  it("come in the order of the requests, however they are answered", async () => {
    const requests = new Requests(3);
    const { answers } = answering(requests);
    const all = [answers.next(), answers.next(), answers.next()];
    await settled();
    requests.answer(2, 1, 0);
    expect((await Promise.all(all)).map(({ value }) => value)).toEqual([0, 1, 2]);
  });

  it("let no more requests be begun than there is room for", async () => {
    const requests = new Requests(10);
    const { answers } = answering(requests, 30);
    const first = answers.next();
    await settled();
    expect(requests.begun).toEqual([0, 1, 2]);
    requests.answer(0);
    await first;
    await settled();
    expect(requests.begun).toEqual([0, 1, 2, 3]);
  });

  it("are given to all that was begun when the server stops, and to nothing else", async () => {
    const requests = new Requests(10);
    const { answers, stopping } = answering(requests, 20);
    const two = [answers.next(), answers.next()];
    await settled();
    stopping.abort();
    requests.answer(0, 1);
    expect((await Promise.all(two)).map(({ value }) => value)).toEqual([0, 1]);
    await expect(answers.next()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await settled();
    expect([requests.begun, requests.isEnded]).toEqual([[0, 1], true]);
  });

  it("end the reading of requests when nobody takes them any more", async () => {
    const requests = new Requests(10);
    const { answers } = answering(requests, 20);
    const first = answers.next();
    await settled();
    requests.answer(0, 1);
    await first;
    await answers.return();
    await settled();
    expect(requests.isEnded).toBe(true);
    expect(requests.begun.length).toBeLessThan(4);
  });

  it("fail as reading the requests does, behind what was begun", async () => {
    async function* broken() {
      yield 0;
      throw new Error("reset");
    }
    const answers = inOrder(broken(), {
      begin: (request) => Promise.resolve(request),
      bytesOf: () => 1,
      maxBytes: 10,
      stopping: new AbortController().signal,
    });
    expect((await answers.next()).value).toBe(0);
    await expect(answers.next()).rejects.toThrow("reset");
  });
});
