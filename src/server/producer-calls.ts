import type { ServiceImpl } from "@connectrpc/connect";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { assertMay } from "./permission.js";
import type { ServiceContext } from "./service-context.js";

/** The calls for producers whose batches are stored once however often they are sent. */
export function producerCalls({
  store,
}: ServiceContext): Pick<ServiceImpl<typeof LogService>, "openProducer" | "getProducer"> {
  return {
    async openProducer({ name }, call) {
      // To open a producer ends those of the same name, so it takes a right to the name.
      assertMay(call, "append", name);
      const { id, epoch } = await store.openProducer(name);
      return { id, epoch };
    },

    async getProducer({ key, id }, call) {
      // A producer has to know where it stands, whether it may read records or not.
      assertMay(call, "append", key);
      const found = await store.producer(key, id);
      if (found === undefined) return {};
      const { epoch, nextSequence, lastOffset } = found;
      return { producer: { epoch, nextSequence, lastOffset: BigInt(lastOffset) } };
    },
  };
}
