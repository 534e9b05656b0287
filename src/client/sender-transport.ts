import { toSafeInteger } from "../wire/integers.js";
import type { Connection } from "./connection.js";
import type { SenderTransport } from "./sender.js";

/** The calls of a connection that senders make. */
export function senderTransport(connection: Connection): SenderTransport {
  return {
    openStream: (requests, signal) => connection.calls.appendStream(requests, { signal }),
    openProducer: async (name) => {
      const { id, epoch } = await connection.once((calls, options) =>
        calls.openProducer({ name }, options),
      );
      return { id, epoch };
    },
    stored: async (key, id) => {
      const { producer } = await connection.call((calls, options) =>
        calls.getProducer({ key, id }, options),
      );
      if (producer === undefined) return undefined;
      const { epoch, nextSequence, lastOffset } = producer;
      return { epoch, nextSequence, lastOffset: toSafeInteger(lastOffset, "last_offset") };
    },
  };
}
