import type { Interceptor } from "@connectrpc/connect";
import { ACCESS } from "./access.js";
import { type FailureObserver, statusOf, tellFailure } from "./call-failure.js";
import type { ServerMetrics } from "./metrics.js";
import { RESPONSE_ROOM } from "./response-room.js";

/** What follows each call. */
export interface CallObserver extends FailureObserver {
  readonly metrics: ServerMetrics;
}

/** Counts calls and logs them. It must see failures as the services throw them. */
export function callInterceptor(observer: CallObserver): Interceptor {
  const { metrics, logger } = observer;
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const caller = request.contextValues.get(ACCESS).name;
    const startedAt = performance.now();
    metrics.callBegan();

    const end = (error?: unknown) => {
      const durationMs = performance.now() - startedAt;
      const status = statusOf(error);
      metrics.callEnded(method, status, request.stream ? undefined : durationMs / 1000);
      const fields = { method, caller, status, durationMs };
      if (error === undefined) logger.debug(fields, "call");
      else tellFailure(observer, error, fields, "call failed");
    };

    try {
      const response = await next(request);
      const room = request.contextValues.get(RESPONSE_ROOM);
      if (response.stream) {
        const endStream = (error?: unknown) => end(error ?? room.failure);
        return { ...response, message: followed(response.message, endStream) };
      }
      room.whenTaken(() => end(room.failure));
      return response;
    } catch (error) {
      end(error);
      throw error;
    }
  };
}

/** Passes messages on, and tells how their stream ended: also that its caller left. */
async function* followed<T>(
  messages: AsyncIterable<T>,
  end: (error?: unknown) => void,
): AsyncIterable<T> {
  let failure: unknown;
  try {
    yield* messages;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(failure);
  }
}
