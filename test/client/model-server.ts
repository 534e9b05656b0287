import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StoredOfProducer } from "../../src/client/sender.js";
import { SeglogError, type SeglogErrorCode } from "../../src/errors.js";
import { toConnectError, toFailure } from "../../src/wire/failure.js";
import {
  type AppendRequest,
  type AppendStreamResponse,
  AppendStreamResponseSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { unpackValues } from "../../src/wire/pack.js";

interface ModelProducer {
  readonly epoch: number;
  nextSequence: number;
  /** The last five. */
  readonly batches: { sequence: number; count: number; baseOffset: number }[];
}

/** What happens to a request. */
export type Fate =
  | "answer"
  /** It is refused. */
  | SeglogErrorCode
  /** The connection breaks, and nothing is stored. */
  | "break before"
  /** It is stored, and the connection breaks before the answer. */
  | "break after"
  /** The connection breaks, and the request, which is still in it, is worked at much later. */
  | "break, then arrive late"
  /** The server never answers. */
  | "silence";

/** A server that keeps to the rules of producers, and to a script of failures. */
export class ModelServer {
  /** Values by key. */
  readonly logs = new Map<string, string[]>();
  /** The batches that came, those that were refused too, as `key: values`. */
  readonly received: string[] = [];
  /** Streams that were opened. */
  streams = 0;
  /** Whether a batch is refused, however it comes. */
  isPoison: (values: readonly string[]) => boolean = () => false;
  /** Decides what happens to each request. */
  fate: (request: AppendRequest, values: readonly string[]) => Fate = () => "answer";
  /** Decides whether a request ends the whole stream, as what the protocol refuses does. */
  breakage: (request: AppendRequest, values: readonly string[]) => Error | undefined = () =>
    undefined;
  /** Decides whether a stream can be opened. */
  isUp: () => boolean = () => true;
  /** How long a request takes. */
  delayMs: () => number = () => 1;
  readonly #producers = new Map<string, ModelProducer>();

  /** What is known of a producer in a key. */
  stored(key: string, id: bigint): StoredOfProducer | undefined {
    const producer = this.#producers.get(`${key}/${id}`);
    if (producer === undefined) return undefined;
    const { epoch, nextSequence, batches } = producer;
    const { baseOffset, count } = batches.at(-1)!;
    return { epoch, nextSequence, lastOffset: baseOffset + count - 1 };
  }

  /** Forgets all producers, as a server does that has lost its data. */
  forget(): void {
    this.#producers.clear();
  }

  openStream = (
    requests: AsyncIterable<AppendRequest>,
    signal: AbortSignal,
  ): AsyncIterable<AppendStreamResponse> => this.#serve(requests, signal);

  async *#serve(
    requests: AsyncIterable<AppendRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<AppendStreamResponse> {
    this.streams++;
    if (!this.isUp()) throw toConnectError(new SeglogError("UNAVAILABLE", "nobody listens"));
    const stopped = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    stopped.catch(() => undefined);
    // Requests are read while earlier ones are worked at, as from a socket.
    const queue: AppendRequest[] = [];
    let arrived = () => {};
    const read = async () => {
      for await (const request of requests) {
        if (signal.aborted) return;
        queue.push(request);
        arrived();
      }
    };
    void read();
    for (;;) {
      const request = queue.shift();
      if (request === undefined) {
        await Promise.race([stopped, new Promise<void>((resolve) => (arrived = resolve))]);
        continue;
      }
      await Promise.race([stopped, pause(this.delayMs())]);
      yield await this.#handle(request, queue, stopped);
    }
  }

  async #handle(
    request: AppendRequest,
    rest: AppendRequest[],
    stopped: Promise<never>,
  ): Promise<AppendStreamResponse> {
    const values = valuesOf(request);
    this.received.push(`${request.key}: ${values.join(" ")}`);
    const breakage = this.breakage(request, values);
    if (breakage !== undefined) throw toConnectError(breakage);
    const fate = this.isPoison(values) ? "RECORD_TOO_LARGE" : this.fate(request, values);
    if (fate === "silence") return stopped;
    if (fate === "break after") this.#answer(request);
    if (fate === "break, then arrive late") {
      const late = [request, ...rest];
      void pause(this.delayMs() * 20).then(() => {
        for (const each of late) if (!this.isPoison(valuesOf(each))) this.#answer(each);
      });
    }
    if (fate.startsWith("break")) throw toConnectError(new SeglogError("UNAVAILABLE", "reset"));
    if (fate === "answer") return this.#answer(request);
    return refusal(new SeglogError(fate as SeglogErrorCode, `scripted ${fate}`));
  }

  /** Stores a batch unless it is there already, or does not follow. */
  #answer(request: AppendRequest): AppendStreamResponse {
    const { id, epoch, sequence } = request.producer!;
    const values = valuesOf(request);
    const name = `${request.key}/${id}`;
    let producer = this.#producers.get(name);
    if (producer !== undefined && epoch < producer.epoch) {
      return refusal(new SeglogError("PRODUCER_FENCED", "a later epoch was seen"));
    }
    if (producer === undefined || epoch > producer.epoch) {
      if (sequence > 0) return refusal(new SeglogError("SEQUENCE_GAP", "it begins anew"));
      producer = { epoch, nextSequence: 0, batches: [] };
      this.#producers.set(name, producer);
    }
    const known = producer.batches.find((batch) => batch.sequence === sequence);
    if (known !== undefined) {
      if (known.count !== values.length) throw new Error("a number was given to another batch");
      return appended(known.baseOffset, known.count);
    }
    if (sequence < producer.nextSequence) {
      return refusal(new SeglogError("SEQUENCE_FORGOTTEN", "long ago"));
    }
    if (sequence > producer.nextSequence) {
      return refusal(new SeglogError("SEQUENCE_GAP", "one is missing"));
    }
    const log = this.logs.get(request.key) ?? [];
    this.logs.set(request.key, log);
    const baseOffset = log.length;
    log.push(...values);
    producer.nextSequence += values.length;
    producer.batches.push({ sequence, count: values.length, baseOffset });
    if (producer.batches.length > 5) producer.batches.shift();
    return appended(baseOffset, values.length);
  }
}

/** The values of a request, as text. */
function valuesOf({ pack, records }: AppendRequest): string[] {
  const values = pack === undefined ? records.map(({ value }) => value) : unpackValues(pack);
  return values.map((value) => Buffer.from(value).toString());
}

function appended(baseOffset: number, count: number): AppendStreamResponse {
  const value = { baseOffset: BigInt(baseOffset), lastOffset: BigInt(baseOffset + count - 1) };
  return create(AppendStreamResponseSchema, { result: { case: "appended", value } });
}

function refusal(error: SeglogError): AppendStreamResponse {
  return create(AppendStreamResponseSchema, {
    result: { case: "failure", value: toFailure(error) },
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How the protocol refuses a message that is too long, before the service sees it. */
export function tooLongForProtocol(): ConnectError {
  const trailer = { "grpc-status": String(Code.ResourceExhausted) };
  return new ConnectError("message size is larger than", Code.ResourceExhausted, trailer);
}
