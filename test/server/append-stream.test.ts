import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { toBatch } from "../../src/wire/records.js";
import { openStore, textsOf } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { failureOf, host } from "./service-host.js";

/** Requests that a test gives one by one. */
class Requests<T> implements AsyncIterable<T> {
  readonly #given: T[] = [];
  #wake: () => void = () => undefined;
  #isOver = false;
  taken = 0;

  give(...requests: T[]): void {
    this.#given.push(...requests);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const next = this.#given.shift();
      if (next !== undefined) {
        this.taken++;
        yield next;
      } else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

const request = (text: string, key = "k") => ({ key, ...toBatch([text]) });

async function hosted() {
  const store = await openStore(newPath());
  return { store, services: await host(store) };
}

describe("a stream of appends", () => {
  it("is answered in order, and what fails does not end it", async () => {
    const { store, services } = await hosted();
    const requests = new Requests<ReturnType<typeof request>>();
    requests.give(request("a"), request("b", ""), request("c", "other"), request("d"));
    requests.end();
    const answers: unknown[] = [];
    for await (const { result } of services.client().appendStream(requests)) {
      if (result.case === "appended") answers.push(result.value.lastOffset);
      else answers.push(result.value?.detail?.code);
    }
    expect(answers).toEqual([0n, "INVALID_KEY", 0n, 1n]);
    expect(textsOf((await store.read("k", 0)).records)).toEqual(["a", "d"]);
  });

  it("begins requests while others are on their way, in their order", async () => {
    const { store, services } = await hosted();
    const begun: string[] = [];
    const append = store.appendBatch.bind(store);
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    store.appendBatch = async (key, records) => {
      begun.push(...textsOf([...records].map((value) => ({ value }) as never)));
      if (begun.length === 50) open();
      await gate;
      return append(key, records);
    };
    const requests = new Requests<ReturnType<typeof request>>();
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
    requests.give(...texts.map((text) => request(text)));
    requests.end();
    const offsets: bigint[] = [];
    for await (const { result } of services.client().appendStream(requests)) {
      if (result.case === "appended") offsets.push(result.value.baseOffset);
    }
    expect(begun).toEqual(texts);
    expect(offsets).toEqual(texts.map((_, index) => BigInt(index)));
  });

  it("ends when the server stops, with all answered that was begun", async () => {
    const { services } = await hosted();
    const requests = new Requests<ReturnType<typeof request>>();
    requests.give(request("a"), request("b"));
    const answers = services.client().appendStream(requests)[Symbol.asyncIterator]();
    await answers.next();
    const second = answers.next();
    services.stopping.abort();
    expect((await second).value.result.case).toBe("appended");
    expect(((await failureOf(answers.next())) as ConnectError).code).toBe(Code.Unavailable);
    requests.end();
  });

  it("survives a caller that goes", async () => {
    const { store, services } = await hosted();
    const gone = new AbortController();
    const requests = new Requests<ReturnType<typeof request>>();
    requests.give(request("a"));
    const stream = services.client().appendStream(requests, { signal: gone.signal });
    const answers = stream[Symbol.asyncIterator]();
    await answers.next();
    gone.abort();
    expect(((await failureOf(answers.next())) as ConnectError).code).toBe(Code.Canceled);
    expect(await store.append("k", "b")).toBe(1);
    requests.end();
  });
});
