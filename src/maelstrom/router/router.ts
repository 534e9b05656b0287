import type { Handler, Network } from "../runtime/handler.js";
import { encodeMembers } from "../runtime/json.js";
import { ERROR_CODES, MaelstromError } from "../runtime/maelstrom-error.js";
import type { Body, Content, Request } from "../runtime/protocol.js";
import { Owners } from "./owner.js";
import { joinAnswers, PARTITIONS, type Partition, toContent } from "./partition.js";
import { Reachability } from "./reachability.js";

/**
 * How long an owner may take to answer. It is less than the 5 s after which Maelstrom's clients
 * give up, so that they are told.
 */
const FORWARD_MS = 3500;

/** How a router treats an owner that does not answer. */
export interface RouterOptions {
  /**
   * Whether this node may serve keys that another one owns. Then it does, rather than to wait for
   * an owner that cannot be reached.
   */
  readonly mayServeAll: boolean;
  /** What this node's own failures are told as. */
  readonly toError: (error: unknown) => MaelstromError;
}

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
  readonly #reachability = new Reachability();

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
        if (this.#nodeIds.has(request.src)) return await handler.handle(request);
        const keys = partition.keysOf(request);
        // What is wrong with a malformed one, the handler tells.
        if (keys === undefined) return await handler.handle(request);
        const groups = this.#groups(keys, partition);
        if (groups.size === 0 || (groups.size === 1 && groups.has(this.#network.nodeId))) {
          return await handler.handle(request);
        }
        return await this.#fanOut(partition, handler, request, groups);
      },
    };
  }

  /** The keys by who is to serve them. */
  #groups(keys: readonly string[], partition: Partition): ReadonlyMap<string, readonly string[]> {
    const { nodeId } = this.#network;
    const groups = new Map<string, string[]>();
    for (const [owner, owned] of this.#owners.group(keys)) {
      const isElsewhere = owner !== nodeId && this.#isAsked(owner, partition);
      const server = isElsewhere ? owner : nodeId;
      groups.set(server, [...(groups.get(server) ?? []), ...owned]);
    }
    return groups;
  }

  #isAsked(owner: string, { isRepeatable }: Partition): boolean {
    return !this.#options.mayServeAll || this.#reachability.isWorthAsking(owner, isRepeatable);
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
    const silent = others.filter((owner) => !this.#reachability.isWorthAsking(owner, true));
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
    const [first] = errors;
    if (first !== undefined && !isGoodEnough(partition, answers, errors)) {
      throw combine(partition, answers.length, errors, first);
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
    try {
      return await this.#forward(server, part);
    } catch (error) {
      const isSilent = error instanceof MaelstromError && error.code === ERROR_CODES.timeout;
      if (!isSilent || !this.#options.mayServeAll || !partition.isRepeatable) throw error;
      return await this.#serveHere(handler, request, part);
    }
  }

  async #forward(owner: string, part: Body): Promise<Content> {
    try {
      const answer = await this.#network.request(owner, part, FORWARD_MS);
      this.#reachability.answered(owner);
      return answer;
    } catch (error) {
      const isSilent = error instanceof MaelstromError && error.code === ERROR_CODES.timeout;
      if (isSilent) this.#reachability.silent(owner);
      else this.#reachability.answered(owner);
      throw error;
    }
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

function isUnavailable({ code }: MaelstromError): boolean {
  return code === ERROR_CODES.timeout || code === ERROR_CODES.temporarilyUnavailable;
}

/** What is true of a request of which some parts failed. */
function combine(
  { isReadOnly }: Partition,
  successes: number,
  errors: readonly MaelstromError[],
  first: MaelstromError,
): MaelstromError {
  const indefinite = errors.find(({ isDefinite }) => !isDefinite);
  if (isReadOnly && indefinite !== undefined && isUnavailable(indefinite)) {
    return new MaelstromError("temporarilyUnavailable", indefinite.message, { cause: indefinite });
  }
  if (indefinite !== undefined) return indefinite;
  if (successes === 0 || isReadOnly) return first;
  return new MaelstromError("crash", `Done for some of the keys only: ${first.message}`);
}
