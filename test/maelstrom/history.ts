/** The body of a message, as it is on the wire. */
export interface Body {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** A request and what became of it. */
export interface Operation {
  readonly client: string;
  readonly request: Body;
  /** When it was asked for, by the history's clock. */
  readonly invokedAt: number;
  /** When the answer was there; infinite as long as there is none. */
  completedAt: number;
  /** Without one, nobody knows whether what was asked for has happened, or still will. */
  reply: Body | undefined;
}

/** What clients asked and were answered, in the order in which they saw it. */
export class History {
  readonly operations: Operation[] = [];
  #clock = 0;

  /** Records that a client asks for something. */
  invoke(client: string, request: Body): Operation {
    const invokedAt = this.#clock++;
    const completedAt = Number.POSITIVE_INFINITY;
    const operation: Operation = { client, request, invokedAt, completedAt, reply: undefined };
    this.operations.push(operation);
    return operation;
  }

  /** Records the answer. */
  complete(operation: Operation, reply: Body): void {
    operation.completedAt = this.#clock++;
    operation.reply = reply;
  }
}
