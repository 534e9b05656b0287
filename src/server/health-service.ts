import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import { toConnectError } from "../wire/failure.js";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../wire/generated/grpc/health/v1/health_pb.js";
import type { ServingStatus } from "./serving-status.js";

/** Whoever can connect may call, so a request may cost nothing: a name is all there is to say. */
const MAX_REQUEST_BYTES = 4096;

/** A watcher costs little; this bounds what many cost. */
const MAX_WATCHERS = 1000;

/** Registers {@link healthService}, with a limit of its own and nothing compressed. */
export function routeHealth(
  router: ConnectRouter,
  serving: ServingStatus,
  services: readonly string[],
): void {
  const options = { readMaxBytes: MAX_REQUEST_BYTES, acceptCompression: [] };
  router.service(Health, healthService(serving, services), options);
}

/**
 * grpc.health.v1, of the server as a whole and of each of its services.
 *
 * @param services - Full names of the services, such as `seglog.v1.LogService`.
 */
export function healthService(
  serving: ServingStatus,
  services: readonly string[],
): ServiceImpl<typeof Health> {
  let watchers = 0;
  const isKnown = (service: string) => service === "" || services.includes(service);
  const status = () => (serving.isServing ? Status.SERVING : Status.NOT_SERVING);

  return {
    check({ service }) {
      if (isKnown(service)) return { status: status() };
      throw new ConnectError("There is no service of that name.", Code.NotFound);
    },

    async *watch({ service }, { signal }) {
      if (watchers === MAX_WATCHERS) {
        throw toConnectError(
          new SeglogError("LIMIT_EXCEEDED", `${MAX_WATCHERS} callers watch already. Use Check.`),
        );
      }
      watchers++;
      try {
        while (true) {
          const isLast = serving.isStopping;
          const change = serving.changed(signal);
          // It is awaited only if the caller takes what is told before.
          change.catch(() => undefined);
          yield { status: isKnown(service) ? status() : Status.SERVICE_UNKNOWN };
          if (isLast) return;
          await change;
        }
      } finally {
        watchers--;
      }
    },
  };
}
