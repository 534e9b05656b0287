import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { ComLogRpc } from "../wire/generated/api/comlog_pb.js";
import { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { comlogService } from "./comlog-service.js";
import { failureInterceptor } from "./failure-interceptor.js";
import { logService } from "./log-service.js";
import type { ServiceContext } from "./service-context.js";

/**
 * Registers the services of a store.
 *
 * @param comlogKey - The key that ComLog's clients work on.
 * @param interceptors - Outermost first. They see failures as the services throw them.
 */
export function serviceRoutes(
  context: ServiceContext,
  comlogKey: string,
  interceptors: readonly Interceptor[],
): (router: ConnectRouter) => void {
  const options = { interceptors: [failureInterceptor, ...interceptors] };
  return (router) => {
    router.service(LogService, logService(context), options);
    router.service(ComLogRpc, comlogService(context, comlogKey), options);
  };
}
