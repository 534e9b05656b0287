import { isDeepStrictEqual } from "node:util";
import type { Body } from "../../history.js";
import type { Random } from "../../random.js";
import {
  applyRequest,
  type Effect,
  type KeyValueService,
  keyOf,
  type Stored,
} from "./key-value.js";

/** A value, and after how many changes of the whole store it was there. */
interface Version extends Stored {
  readonly since: number;
}

/**
 * `seq-kv`: all changes have one order, and each client sees the state after some prefix of it,
 * which never gets shorter, and has the client's own changes in it. How long the prefix is, is left
 * to chance: half of the times it is what the client saw last, however long ago, and else any
 * length from there to the end. So a client that never changes anything may be behind for long, but
 * not for ever.
 *
 * As in Maelstrom, a request that would change nothing where the client is, such as a
 * compare-and-swap that fails there, is answered there. Only one that changes something is done
 * again at the end.
 */
export class SequentialKv implements KeyValueService {
  readonly #random: Random;
  readonly #versions = new Map<string, Version[]>();
  /** By client, how many changes it has seen. */
  readonly #seen = new Map<string, number>();
  #changes = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  handle(client: string, request: Body): Body {
    const moment = this.#chooseMoment(this.#seen.get(client) ?? 0);
    const then = this.#apply(request, moment);
    if (!then.changes) {
      this.#seen.set(client, moment);
      return then.reply;
    }
    const now = this.#apply(request, this.#changes);
    if (now.changes && now.written) this.#record(keyOf(request), now.written);
    this.#seen.set(client, this.#changes);
    return now.reply;
  }

  #chooseMoment(seen: number): number {
    if (this.#random.next() < 0.5) return seen;
    return seen + this.#random.below(this.#changes - seen + 1);
  }

  #apply(request: Body, moment: number): Effect & { readonly changes: boolean } {
    const versions = this.#versions.get(keyOf(request)) ?? [];
    const stored = versions.findLast(({ since }) => since <= moment);
    const effect = applyRequest(stored, request, { creates: true });
    const { written } = effect;
    const changes = written !== undefined && !isDeepStrictEqual(written.value, stored?.value);
    return { ...effect, changes };
  }

  #record(key: string, { value }: Stored): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ value, since: ++this.#changes });
    this.#versions.set(key, versions);
  }
}
