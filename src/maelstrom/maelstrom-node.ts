import { addAbortSignal, type Readable, type Writable } from "node:stream";
import { toMaelstromError } from "./failure.js";
import type { Handler } from "./kafka-workload.js";
import { type InputLine, LineSplitter } from "./line-splitter.js";
import { LineWriter } from "./line-writer.js";
import {
  ERROR_CODES,
  encodeReply,
  errorBody,
  MaelstromError,
  type Origin,
  parseLine,
  type ReplyBody,
  type Request,
} from "./protocol.js";

/** The longest line that is taken. Maelstrom's own are a few KiB. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Beyond this many requests without an answer, input waits. */
const MAX_REQUESTS_IN_FLIGHT = 1024;

/** So it does beyond this many bytes of such requests and their answers. */
const MAX_BYTES_IN_FLIGHT = 32 * 1024 * 1024;

/** How much of a line that cannot be answered is shown in the log. */
const SHOWN_CHARACTERS = 120;

/** What a node is made of. */
export interface NodeParts {
  /** By type of request. `init` is the node's own. */
  readonly handlers: ReadonlyMap<string, Handler>;
  /** Takes messages and nothing else. */
  readonly output: Writable;
  /** Takes one line about what nobody can be told through `output`. */
  readonly log: (line: string) => void;
}

/**
 * One node of a Maelstrom network: takes requests, hands them to their handlers as they come, and
 * writes each answer when it is there. What is wrong with a request concerns that request only.
 */
export class MaelstromNode {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #writer: LineWriter;
  readonly #log: (line: string) => void;
  #nodeId: string | undefined;
  #requestsInFlight = 0;
  #bytesInFlight = 0;
  #onAnswered: () => void = () => {};

  constructor({ handlers, output, log }: NodeParts) {
    const init: Handler = { answerBytes: 0, handle: (request) => this.#init(request) };
    this.#handlers = new Map([...handlers, ["init", init]]);
    this.#writer = new LineWriter(output);
    this.#log = log;
  }

  /**
   * Takes requests until `input` ends, `stopped` is aborted or nobody reads the output any more,
   * then resolves when all requests that it took have been answered. Destroys `input`.
   *
   * Rejects only if `input` fails by itself.
   */
  async run(input: Readable, stopped: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([stopped, this.#writer.broken]);
    addAbortSignal(stop, input);
    const splitter = new LineSplitter(MAX_LINE_BYTES);
    try {
      for await (const chunk of input) {
        for (const line of splitter.split(chunk)) await this.#take(line, stop);
      }
      const last = splitter.end();
      if (last) await this.#take(last, stop);
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      while (this.#requestsInFlight > 0) await this.#nextAnswer();
    }
  }

  async #take(line: InputLine, stop: AbortSignal): Promise<void> {
    await this.#writer.room();
    if (stop.aborted) return;
    if ("fault" in line) {
      this.#log(`ignored ${line.fault}`);
      return;
    }
    const parsed = parseLine(line.text);
    if (parsed.kind === "request") await this.#begin(parsed.request, line.text.length, stop);
    else if (parsed.kind === "refused") this.#reply(parsed.origin, errorBody(parsed.error));
    else this.#log(`ignored a line (${parsed.reason}): ${shorten(line.text)}`);
  }

  /** Resolves when the request is being handled. */
  async #begin(request: Request, lineBytes: number, stop: AbortSignal): Promise<void> {
    const bytes = lineBytes + (this.#handlers.get(request.type)?.answerBytes ?? 0);
    while (
      this.#requestsInFlight === MAX_REQUESTS_IN_FLIGHT ||
      (this.#requestsInFlight > 0 && this.#bytesInFlight + bytes > MAX_BYTES_IN_FLIGHT)
    ) {
      await this.#nextAnswer();
    }
    if (stop.aborted) return;
    this.#requestsInFlight++;
    this.#bytesInFlight += bytes;
    void this.#answer(request).then(() => {
      this.#requestsInFlight--;
      this.#bytesInFlight -= bytes;
      this.#onAnswered();
    });
  }

  async #answer(request: Request): Promise<void> {
    try {
      this.#reply(request, await this.#handle(request));
    } catch (error) {
      const told = toMaelstromError(error);
      if (told.code === ERROR_CODES.crash) this.#log(`${request.type} failed: ${describe(told)}`);
      this.#reply(request, errorBody(told));
    }
  }

  async #handle(request: Request): Promise<ReplyBody> {
    const { type } = request;
    const handler = this.#handlers.get(type);
    if (!handler) {
      throw new MaelstromError(
        "notSupported",
        `Requests of type ${show(type)} are not known here.`,
      );
    }
    if (this.#nodeId === undefined && type !== "init") {
      throw new MaelstromError("temporarilyUnavailable", "The first message must be init.");
    }
    return await handler.handle(request);
  }

  async #init(request: Request): Promise<ReplyBody> {
    const { node_id: nodeId, node_ids: nodeIds } = request.body;
    if (typeof nodeId !== "string" || nodeId === "") {
      throw new MaelstromError("malformedRequest", "node_id must be a string with something in it");
    }
    if (!Array.isArray(nodeIds) || !nodeIds.includes(nodeId)) {
      throw new MaelstromError("malformedRequest", "node_ids must be an array that holds node_id");
    }
    if (nodeIds.length > 1) {
      const text = `This node keeps its logs to itself, so it cannot be one of ${nodeIds.length}.`;
      throw new MaelstromError("notSupported", text);
    }
    if (this.#nodeId !== undefined && this.#nodeId !== nodeId) {
      throw new MaelstromError("malformedRequest", `This node is ${show(this.#nodeId)} already.`);
    }
    this.#nodeId = nodeId;
    return { type: "init_ok" };
  }

  #reply(origin: Origin, body: ReplyBody): void {
    this.#writer.write(encodeReply(this.#nodeId ?? origin.dest, origin, body));
  }

  /** There is one waiter at a time, the loop over the input, so one slot for it will do. */
  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswered = resolve;
    });
  }
}

function describe({ message, cause }: MaelstromError): string {
  const detail = cause instanceof Error ? cause.stack : cause;
  return `${shorten(message)} ${shorten(String(detail ?? ""), 2_000)}`;
}

function shorten(text: string, characters = SHOWN_CHARACTERS): string {
  return show(text.length > characters ? `${text.slice(0, characters)}…` : text);
}

/** Quotes text that may come from anywhere, all but plain ASCII escaped. */
function show(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
