import type { Body } from "../../history.js";
import { applyRequest, type KeyValueService, keyOf, type Stored } from "./key-value.js";

/** `lin-kv`: each request happens at the moment at which it arrives. */
export class LinearizableKv implements KeyValueService {
  readonly #values = new Map<string, Stored>();

  handle(_client: string, request: Body): Body {
    const key = keyOf(request);
    const { reply, written } = applyRequest(this.#values.get(key), request, { creates: true });
    if (written) this.#values.set(key, written);
    return reply;
  }
}
