import { describe, expect, it, onTestFinished, vi } from "vitest";
import { toMaelstromError } from "../../../src/maelstrom/failure.js";
import { answeredInTime } from "../../../src/maelstrom/router/in-time.js";
import { MaelstromError } from "../../../src/maelstrom/runtime/maelstrom-error.js";
import type { Body, Request } from "../../../src/maelstrom/runtime/protocol.js";

/** A handler of each type that answers as the test says, in its time. */
function handlersOf(answer: () => Promise<Body>) {
  const types = ["send", "poll", "commit_offsets", "list_committed_offsets"];
  const handlers = new Map(types.map((type) => [type, { answerBytes: 7, handle: answer }]));
  return answeredInTime(handlers, toMaelstromError);
}

const request = {} as Request;

describe("answeredInTime", () => {
  it("passes on what comes in time", async () => {
    const handlers = handlersOf(async () => ({ type: "ok" }));
    expect(await handlers.get("send")?.handle(request)).toEqual({ type: "ok" });
    expect(handlers.get("poll")?.answerBytes).toBe(7);
  });

  it.each([
    ["send", 0],
    ["commit_offsets", 0],
    ["poll", 11],
    ["list_committed_offsets", 11],
  ])("tells truly of a %s that takes too long", async (type, code) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const answer = handlersOf(() => new Promise(() => {}))
      .get(type)
      ?.handle(request);
    const told = expect(answer).rejects.toMatchObject({ code });
    await vi.advanceTimersByTimeAsync(5000);
    await told;
  });

  it.each([
    ["send", 0],
    ["poll", 11],
  ])("tells truly of a %s that others did not answer", async (type, code) => {
    const handlers = handlersOf(() => Promise.reject(new MaelstromError("timeout", "no answer")));
    await expect(handlers.get(type)?.handle(request)).rejects.toMatchObject({ code });
  });

  it("leaves no timer behind", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    await handlersOf(async () => ({ type: "ok" }))
      .get("poll")
      ?.handle(request);
    expect(vi.getTimerCount()).toBe(0);
  });
});
