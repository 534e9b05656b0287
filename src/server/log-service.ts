import type { ServiceImpl } from "@connectrpc/connect";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { appendCalls } from "./append-calls.js";
import { groupCalls } from "./group-calls.js";
import { keyCalls } from "./key-calls.js";
import { producerCalls } from "./producer-calls.js";
import { readCalls } from "./read-calls.js";
import type { ServiceContext } from "./service-context.js";

/** The service that `seglog/v1/log_service.proto` describes. */
export function logService(context: ServiceContext): ServiceImpl<typeof LogService> {
  return {
    ...appendCalls(context),
    ...readCalls(context),
    ...groupCalls(context),
    ...keyCalls(context),
    ...producerCalls(context),
  };
}
