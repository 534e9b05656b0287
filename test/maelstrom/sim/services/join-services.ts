import type { Random } from "../../random.js";
import type { SERVICE_NAMES } from "../message.js";
import type { Network } from "../network.js";
import type { KeyValueService } from "./key-value.js";
import { LastWriteWinsKv } from "./last-write-wins-kv.js";
import { LinearizableKv } from "./linearizable-kv.js";
import { SequentialKv } from "./sequential-kv.js";

type Services = Record<(typeof SERVICE_NAMES)[number], KeyValueService>;

/**
 * Lets the services take part in a network.
 *
 * @param random - A source of chances for each of those that need one.
 */
export function joinServices(network: Network, random: readonly [Random, Random]): void {
  const services: Services = {
    "lin-kv": new LinearizableKv(),
    "seq-kv": new SequentialKv(random[0]),
    "lww-kv": new LastWriteWinsKv(random[1]),
  };
  for (const [name, service] of Object.entries(services)) {
    network.join(name, ({ src, body }) => {
      const reply = { ...service.handle(src, body), in_reply_to: body.msg_id };
      network.send({ src: name, dest: src, body: reply });
    });
  }
}
