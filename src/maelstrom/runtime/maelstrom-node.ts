import { addAbortSignal, type Readable, type Writable } from "node:stream";
import type { Handler, Network } from "./handler.js";
import { type Identity, readInit, requireSame } from "./init.js";
import { type InputLine, LineSplitter } from "./line-splitter.js";
import { LineWriter } from "./line-writer.js";
import { shorten, show } from "./log-text.js";
import { asMaelstromError, ERROR_CODES, MaelstromError } from "./maelstrom-error.js";
import { OutstandingCalls } from "./outstanding-calls.js";
import {
  type Body,
  encodeReply,
  encodeRequest,
  errorBody,
  type Origin,
  parseLine,
  type Request,
} from "./protocol.js";
import { RequestQueue } from "./request-queue.js";

const MIB = 1024 * 1024;

/** The longest line that is taken. Maelstrom's own are a few KiB, answers of nodes may be more. */
const MAX_LINE_BYTES = 16 * MIB;

/**
 * How many requests are handled at once, with about how many bytes of them and their answers; and
 * how many bytes of requests may wait. Input is never kept waiting for them: it also brings the
 * answers that they wait for.
 */
const QUEUE_LIMITS = {
  maxRunning: 1024,
  maxRunningBytes: 64 * MIB,
  maxWaitingBytes: 32 * MIB,
};

/** What a node is made of. */
export interface NodeParts {
  /**
   * Called with the network that `init` told of, before `init` is answered. Until it has ended,
   * nothing else is read from the input, answers of other nodes neither: it may open files, and
   * cannot ask the network. Whatever it throws, `init` is answered with that; a `MaelstromError`
   * leaves the node waiting for another `init`, and anything else ends it.
   *
   * @returns What is done with requests, by their type. `init` is the node's own.
   */
  readonly start: (
    network: Network,
  ) => ReadonlyMap<string, Handler> | Promise<ReadonlyMap<string, Handler>>;
  /** Takes messages and nothing else; `process.stdout`, as a rule. */
  readonly output: Writable;
  /** Takes one line about what nobody can be told through `output`. */
  readonly log: (line: string) => void;
  /**
   * What the sender of a request is told when handling it failed. By default a `MaelstromError` as
   * it is, and anything else as `crash`, with the reason in the log alone.
   */
  readonly toError?: ((error: unknown) => MaelstromError) | undefined;
}

/**
 * One node of a Maelstrom network: takes requests, hands them to their handlers as they come, and
 * writes each answer when it is there. What is wrong with a request concerns that request only.
 *
 * Requests of other nodes and those of clients wait in queues of their own: a node whose clients
 * all wait for other nodes goes on to serve those, and so do they.
 *
 * @example
 * ```ts
 * const node = new MaelstromNode({
 *   start: ({ nodeId }) => new Map([["whoami", { handle: async () => ({ type: "you_are", nodeId }) }]]),
 *   output: process.stdout,
 *   log: (line) => console.error(line),
 * });
 * await node.run(process.stdin);
 * ```
 */
export class MaelstromNode {
  readonly #parts: NodeParts;
  readonly #writer: LineWriter;
  readonly #calls = new OutstandingCalls();
  readonly #ofClients = new RequestQueue(QUEUE_LIMITS);
  readonly #ofNodes = new RequestQueue(QUEUE_LIMITS);
  #identity: Identity | undefined;
  #nodeIds: ReadonlySet<string> = new Set();
  #handlers: ReadonlyMap<string, Handler> = new Map();

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#writer = new LineWriter(parts.output);
  }

  /**
   * Takes requests until `input` ends, `stopped` is aborted or nobody reads the output any more,
   * then resolves when all requests that it took have been answered. Destroys `input`. Answers of
   * other nodes are not heard any more then: who waits for one gets a `timeout`.
   *
   * Rejects only if `input` fails by itself or the node cannot be started.
   */
  async run(input: Readable, stopped?: AbortSignal): Promise<void> {
    const { broken } = this.#writer;
    const stop = stopped === undefined ? broken : AbortSignal.any([stopped, broken]);
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
      this.#calls.end();
      await Promise.all([this.#ofClients.idle(), this.#ofNodes.idle()]);
    }
  }

  async #take(line: InputLine, stop: AbortSignal): Promise<void> {
    await this.#writer.room();
    if (stop.aborted) return;
    if ("fault" in line) {
      this.#parts.log(`ignored ${line.fault}`);
      return;
    }
    const parsed = parseLine(line.text);
    switch (parsed.kind) {
      case "request":
        if (parsed.request.type === "init") await this.#init(parsed.request);
        else this.#admit(parsed.request, line.text.length);
        break;
      case "reply":
        if (!this.#calls.settle(parsed.reply)) {
          this.#logIgnored("a reply to nothing that this node asked", line.text);
        }
        break;
      case "refused":
        this.#refuse(parsed.origin, parsed.error);
        break;
      case "unanswerable":
        this.#logIgnored(parsed.reason, line.text);
    }
  }

  #logIgnored(reason: string, line: string): void {
    this.#parts.log(`ignored a line (${reason}): ${shorten(line)}`);
  }

  #admit(request: Request, lineBytes: number): void {
    const answerBytes = this.#handlers.get(request.type)?.answerBytes ?? 0;
    const queue = this.#nodeIds.has(request.src) ? this.#ofNodes : this.#ofClients;
    if (queue.add(lineBytes, answerBytes, () => this.#answer(request))) return;
    const text = "More requests wait here than can be kept. Nothing was done; try again later.";
    this.#refuse(request, new MaelstromError("temporarilyUnavailable", text));
  }

  async #answer(request: Request): Promise<void> {
    try {
      this.#reply(request, await this.#handle(request));
    } catch (error) {
      const told = this.#refuse(request, error);
      if (told.code === ERROR_CODES.crash) {
        this.#parts.log(`${request.type} failed: ${describe(told)}`);
      }
    }
  }

  async #handle(request: Request): Promise<Body> {
    const { type } = request;
    if (this.#identity === undefined) {
      throw new MaelstromError("temporarilyUnavailable", "The first message must be init.");
    }
    const handler = this.#handlers.get(type);
    if (handler === undefined) {
      const text = `Requests of type ${show(type)} are not known here.`;
      throw new MaelstromError("notSupported", text);
    }
    return await handler.handle(request);
  }

  /** Rejects if the node cannot be started. */
  async #init(request: Request): Promise<void> {
    try {
      const told = readInit(request);
      if (this.#identity === undefined) await this.#start(told);
      else requireSame(this.#identity, told);
      this.#reply(request, { type: "init_ok" });
    } catch (error) {
      this.#refuse(request, error);
      if (!(error instanceof MaelstromError)) throw error;
    }
  }

  async #start({ nodeId, nodeIds }: Identity): Promise<void> {
    this.#handlers = await this.#parts.start({
      nodeId,
      nodeIds,
      request: (dest, body, timeoutMs) =>
        this.#calls.begin(dest, timeoutMs, (messageId) => {
          this.#writer.write(encodeRequest(nodeId, dest, messageId, body));
        }),
    });
    this.#identity = { nodeId, nodeIds };
    this.#nodeIds = new Set(nodeIds);
  }

  #reply(origin: Origin, body: Body): void {
    this.#writer.write(encodeReply(this.#identity?.nodeId ?? origin.dest, origin, body));
  }

  /** @returns What the sender was told. */
  #refuse(origin: Origin, error: unknown): MaelstromError {
    const told = (this.#parts.toError ?? asMaelstromError)(error);
    this.#reply(origin, errorBody(told));
    return told;
  }
}

function describe({ message, cause }: MaelstromError): string {
  const detail = cause instanceof Error ? cause.stack : cause;
  return `${shorten(message)} ${shorten(String(detail ?? ""), 2_000)}`;
}
