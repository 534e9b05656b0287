import { isClient, isService, type Message } from "./message.js";

/** How many messages were sent, by who took part in them. */
export interface MessageCounts {
  /** To or from a client. */
  readonly clients: number;
  /** From one node to another. */
  readonly betweenNodes: number;
  /** To or from a service. */
  readonly services: number;
}

/** Counts messages when they are sent, lost ones among them, as Maelstrom does. */
export class Traffic {
  #clients = 0;
  #betweenNodes = 0;
  #services = 0;

  count({ src, dest }: Message): void {
    if (isClient(src) || isClient(dest)) this.#clients++;
    else if (isService(src) || isService(dest)) this.#services++;
    else this.#betweenNodes++;
  }

  get counts(): MessageCounts {
    return {
      clients: this.#clients,
      betweenNodes: this.#betweenNodes,
      services: this.#services,
    };
  }
}
