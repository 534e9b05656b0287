import type { Body, Reply, Request } from "./protocol.js";

/** What a node does with requests of one type. */
export interface Handler {
  /** About how many bytes an answer may have, beside a few; counts towards what is done at once. */
  readonly answerBytes?: number | undefined;
  /**
   * Resolves with the answer. Rejects with a `MaelstromError`, or with what the node's `toError`
   * understands.
   */
  handle(request: Request): Promise<Body>;
}

/** The network that a node is in, as the node sees it. */
export interface Network {
  /** This node. */
  readonly nodeId: string;
  /** All nodes, this one among them, in the order in which `init` named them. */
  readonly nodeIds: readonly string[];
  /**
   * Asks another node, or a service such as `lin-kv`, and resolves with the answer.
   *
   * @param body - Without `msg_id`, which is added.
   * @throws MaelstromError that the answer told, or `timeout` if none came in time. A timeout says
   *   nothing about what was asked: it may have happened, or may still happen.
   */
  request(dest: string, body: Body, timeoutMs: number): Promise<Reply>;
}
