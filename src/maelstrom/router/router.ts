import { errorOfParts, isUnavailable } from "../partly-done.js";
import type { Handler, Network } from "../runtime/handler.js";
import { encodeMembers } from "../runtime/json.js";
import { ERROR_CODES, MaelstromError } from "../runtime/maelstrom-error.js";
import type { Body, Content, Request } from "../runtime/protocol.js";
import { TimeLimit } from "../time-limit.js";
import { Owners } from "./owner.js";
import { joinAnswers, PARTITIONS, type Partition, toContent } from "./partition.js";
import { QuietKeys } from "./quiet-keys.js";
import { Reachability } from "./reachability.js";

/** How long an owner may take to answer. */
const FORWARD_MS = 3500;

/** After how long this node asks whether the owner is there, if it can do without it. */
const DOUBT_MS = 1000;

/** Asks for nothing, to find out whether somebody answers; and how long that may take. */
const PROBE: Body = { type: "list_committed_offsets", keys: [] };
const PROBE_MS = 1000;

/** How a router treats an owner that does not answer. */
export interface RouterOptions {
  /**
   * Whether this node may serve keys that another one owns. Then it does, rather than to wait for
   * an owner that cannot be reached; and of a key that its owner said to be empty from an offset
   * on, it says the same for a moment.
   */
  readonly mayServeAll: boolean;
  /** Called when another node has, or may have, served keys of this one. */
  readonly onReplaced: () => void;
  /** What this node's own failures are told as. */
  readonly toError: (error: unknown) => MaelstromError;
}

/** The member that tells an owner that its keys were served by the node that asks. */
const REPLACED = "served_in_your_place";

/** An owner's part of a request, and what became of it. */
type Outcome =
  | { readonly answer: Content; readonly error?: undefined }
  | { readonly answer?: undefined; readonly error: MaelstromError };

/**
 * Stands in front of the handlers of requests about keys, and lets each key be served by its owner:
 * requests of clients go there, in parallel where a request has keys of several owners. What comes
 * from another node is served here, whoever this node thinks the owner is: so nothing is ever passed
 * on twice.
 */
export class Router {
  /** By type of request. */
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly #network: Network;
  readonly #options: RouterOptions;
  readonly #owners: Owners;
  readonly #nodeIds: ReadonlySet<string>;
  readonly #reachability = new Reachability((owner) => this.#forward(owner, PROBE, PROBE_MS));
  readonly #quiet = new QuietKeys();

  /** @param handlers - Those of this node for the types in `PARTITIONS`. */
  constructor(network: Network, handlers: ReadonlyMap<string, Handler>, options: RouterOptions) {
    this.#network = network;
    this.#options = options;
    this.#owners = new Owners(network.nodeIds);
    this.#nodeIds = new Set(network.nodeIds);
    this.handlers = new Map(
      Array.from(handlers, ([type, handler]) => {
        const partition = PARTITIONS.get(type);
        return [type, partition === undefined ? handler : this.#routed(partition, handler)];
      }),
    );
  }

  #routed(partition: Partition, handler: Handler): Handler {
    return {
      answerBytes: handler.answerBytes,
      handle: async (request) => {
        if (this.#nodeIds.has(request.src)) {
          if (request.body[REPLACED] === true) this.#options.onReplaced();
          return await handler.handle(request);
        }
        const keys = partition.keysOf(request);
        if (keys.length === 0) return await handler.handle(request);
        const groups = this.#groups(this.#askedFor(request, keys));
        if (groups.size === 1 && groups.get(this.#network.nodeId)?.length === keys.length) {
          return await handler.handle(request);
        }
        return await this.#fanOut(partition, handler, request, groups);
      },
    };
  }

  /** The keys of a request, without those of a poll that are quiet: an answer may leave them out. */
  #askedFor({ type, body }: Request, keys: readonly string[]): readonly string[] {
    if (type !== "poll" || !this.#options.mayServeAll) return keys;
    const offsets = body.offsets as Readonly<Record<string, unknown>>;
    return keys.filter((key) => !this.#quiet.has(key, offsets[key]));
  }

  /** The keys by who is to serve them. */
  #groups(keys: readonly string[]): ReadonlyMap<string, readonly string[]> {
    const { nodeId } = this.#network;
    const groups = new Map<string, string[]>();
    for (const [owner, owned] of this.#owners.group(keys)) {
      const isSilent = owner !== nodeId && this.#reachability.isSilent(owner);
      const isReplaced = isSilent && this.#options.mayServeAll;
      const server = isReplaced ? nodeId : owner;
      if (isReplaced) this.#reachability.replaced(owner);
      groups.set(server, [...(groups.get(server) ?? []), ...owned]);
    }
    return groups;
  }

  /**
   * Whom a request does without: owners that were silent lately, where an answer may leave out
   * their keys and has others. It would wait for them in vain.
   */
  #leftOut(
    { without }: Partition,
    groups: ReadonlyMap<string, readonly string[]>,
  ): ReadonlySet<string> {
    // Where they can be served here, they are not with their owners any more.
    if (without !== "partial" || this.#options.mayServeAll) return new Set();
    const { nodeId } = this.#network;
    const others = [...groups.keys()].filter((server) => server !== nodeId);
    const silent = others.filter((owner) => this.#reachability.isSilent(owner));
    return new Set(silent.length === groups.size ? [] : silent);
  }

  async #fanOut(
    partition: Partition,
    handler: Handler,
    request: Request,
    groups: ReadonlyMap<string, readonly string[]>,
  ): Promise<Body> {
    const leftOut = this.#leftOut(partition, groups);
    const asked = [...groups].filter(([server]) => !leftOut.has(server));
    const outcomes = await Promise.all(
      asked.map(([server, keys]) =>
        this.#outcome(this.#serve(partition, handler, request, server, keys)),
      ),
    );
    const answers = outcomes.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
    const errors = outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));
    if (errors.length > 0 && !isGoodEnough(partition, answers, errors)) {
      throw errorOfParts(partition.isReadOnly ? 0 : answers.length, errors);
    }
    return joinAnswers(partition, `${request.type}_ok`, answers);
  }

  async #outcome(answer: Promise<Content>): Promise<Outcome> {
    try {
      return { answer: await answer };
    } catch (error) {
      return { error: this.#options.toError(error) };
    }
  }

  async #serve(
    partition: Partition,
    handler: Handler,
    request: Request,
    server: string,
    keys: readonly string[],
  ): Promise<Content> {
    const part = partition.partOf(request, keys);
    if (server === this.#network.nodeId) return await this.#serveHere(handler, request, part);
    const isReplaceable = this.#options.mayServeAll && partition.isRepeatable;
    if (!isReplaceable) return await this.#forward(server, part, FORWARD_MS);
    try {
      return await this.#forwardDoubtfully(server, part);
    } catch (error) {
      // An owner that is merely busy is waited for: to do its work takes more than it would.
      if (!isTimeout(error) || !this.#reachability.isSilent(server)) throw error;
      return await this.#serveInstead(server, partition, handler, request, part);
    }
  }

  /** Serves here what an owner was asked for in vain. */
  async #serveInstead(
    owner: string,
    { isReadOnly }: Partition,
    handler: Handler,
    request: Request,
    part: Body,
  ): Promise<Content> {
    this.#reachability.replaced(owner);
    try {
      return await this.#serveHere(handler, request, part);
    } catch (error) {
      if (isReadOnly) throw error;
      // What is refused here may still arrive there, and be done.
      const text = `${owner} did not answer; it may have happened or not.`;
      throw new MaelstromError("timeout", text, { cause: error });
    }
  }

  /** Waits for an owner, unless it is silent when it is asked whether it is there. */
  async #forwardDoubtfully(owner: string, part: Body): Promise<Content> {
    using doubt = new TimeLimit(DOUBT_MS);
    const answer = this.#forward(owner, part, FORWARD_MS);
    const isThere = doubt.over.then(() => this.#assertThere(owner));
    await Promise.race([answer, isThere]);
    return await answer;
  }

  /** Throws only if an owner is silent: whatever else it says, or has said meanwhile, will do. */
  async #assertThere(owner: string): Promise<void> {
    try {
      await this.#forward(owner, PROBE, PROBE_MS);
    } catch (error) {
      if (isTimeout(error) && this.#reachability.isSilent(owner)) throw error;
    }
  }

  async #forward(owner: string, part: Body, timeoutMs: number): Promise<Content> {
    const wasReplaced = this.#reachability.wasReplaced(owner);
    const request = wasReplaced ? { ...part, [REPLACED]: true } : part;
    const askedAtMs = performance.now();
    try {
      const answer = await this.#network.request(owner, request, timeoutMs);
      this.#reachability.answered(owner);
      this.#noteQuiet(part, answer, askedAtMs);
      return answer;
    } catch (error) {
      if (isTimeout(error)) this.#reachability.unanswered(owner, askedAtMs);
      else this.#reachability.answered(owner);
      throw error;
    }
  }

  #noteQuiet(part: Body, answer: Content, askedAtMs: number): void {
    if (part.type === "send") this.#quiet.sent(String(part.key));
    if (part.type !== "poll" || !(part.offsets instanceof Map)) return;
    this.#quiet.note(part.offsets, answer.body.msgs, askedAtMs);
  }

  async #serveHere(handler: Handler, request: Request, part: Body): Promise<Content> {
    const asked = toContent(part, encodeMembers(Object.entries(part)));
    const { src, dest, messageId } = request;
    const answer = await handler.handle({ src, dest, messageId, ...asked });
    return toContent(answer, encodeMembers(Object.entries(answer)));
  }
}

/** Whether an answer may leave out the keys whose owners cannot be reached. */
function isGoodEnough(
  { without }: Partition,
  answers: readonly Content[],
  errors: readonly MaelstromError[],
): boolean {
  return without === "partial" && answers.length > 0 && errors.every(isUnavailable);
}

function isTimeout(error: unknown): boolean {
  return error instanceof MaelstromError && error.code === ERROR_CODES.timeout;
}
