/**
 * What a program needs to be a node in a Maelstrom network: the messages on standard input and
 * output, requests to other nodes, errors, and Maelstrom's key-value services. Nothing in it knows
 * of logs.
 *
 * @packageDocumentation
 */
export type { Handler, Network } from "./runtime/handler.js";
export { type Json, JsonText } from "./runtime/json.js";
export { KeyValueStore, type ServiceName, type StoredValue } from "./runtime/key-value-store.js";
export { ERROR_CODES, type ErrorKind, MaelstromError } from "./runtime/maelstrom-error.js";
export { MaelstromNode, type NodeParts } from "./runtime/maelstrom-node.js";
export type { Body, Content, Origin, Reply, Request } from "./runtime/protocol.js";
