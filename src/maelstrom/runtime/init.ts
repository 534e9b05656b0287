import { show } from "./log-text.js";
import { MaelstromError } from "./maelstrom-error.js";
import type { Content } from "./protocol.js";

/** Which node this is, and in which network: what `init` tells. */
export interface Identity {
  readonly nodeId: string;
  /** All nodes, this one among them. */
  readonly nodeIds: readonly string[];
}

/**
 * What an `init` tells.
 *
 * @throws MaelstromError `malformedRequest` if it does not say who is who.
 */
export function readInit({ body }: Content): Identity {
  const { node_id: nodeId, node_ids: nodeIds } = body;
  if (typeof nodeId !== "string" || nodeId === "") {
    throw malformed("node_id must be a string with something in it");
  }
  if (!isListWith(nodeIds, nodeId)) {
    throw malformed("node_ids must be an array of different strings that holds node_id");
  }
  return { nodeId, nodeIds };
}

/** @throws MaelstromError `malformedRequest` unless both have one node in mind. */
export function requireSame(known: Identity, told: Identity): void {
  const ids = new Set(known.nodeIds);
  const isSame =
    told.nodeId === known.nodeId &&
    told.nodeIds.length === ids.size &&
    told.nodeIds.every((id) => ids.has(id));
  if (isSame) return;
  const network = `${show(known.nodeId)} among ${show(known.nodeIds.join(", "))}`;
  throw malformed(`This node is ${network} already.`);
}

function isListWith(nodeIds: unknown, nodeId: string): nodeIds is readonly string[] {
  if (!Array.isArray(nodeIds) || !nodeIds.includes(nodeId)) return false;
  return nodeIds.every((id) => typeof id === "string") && new Set(nodeIds).size === nodeIds.length;
}

function malformed(text: string): MaelstromError {
  return new MaelstromError("malformedRequest", text);
}
