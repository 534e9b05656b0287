import { Code, type Interceptor } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import { toConnectError } from "../wire/failure.js";
import { ACCESS } from "./access.js";
import { failureFields, type ServerLogger } from "./logging.js";
import type { ServerMetrics } from "./metrics.js";

/** Failures that are the server's own, or that its operator has to see to. */
const SERVER_FAILURES: ReadonlySet<Code> = new Set([
  Code.Internal,
  Code.Unknown,
  Code.DataLoss,
  Code.Unavailable,
]);

/** What follows each call. */
export interface CallObserver {
  readonly metrics: ServerMetrics;
  readonly logger: ServerLogger;
  /** Told when a log takes no more appends. */
  readonly onPoisoned: () => void;
}

/** Counts calls and logs them. It must see failures as the services throw them. */
export function callInterceptor({ metrics, logger, onPoisoned }: CallObserver): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const caller = request.contextValues.get(ACCESS).name;
    const startedAt = performance.now();
    metrics.callBegan();

    const end = (error?: unknown) => {
      const durationMs = performance.now() - startedAt;
      const code = error === undefined ? undefined : toConnectError(error).code;
      const status = code === undefined ? "OK" : statusName(code);
      metrics.callEnded(method, status, request.stream ? undefined : durationMs / 1000);
      const fields = { method, caller, status, durationMs };
      if (error === undefined) {
        logger.debug(fields, "call");
        return;
      }
      if (error instanceof SeglogError && error.code === "LOG_POISONED") onPoisoned();
      const isOurs = SERVER_FAILURES.has(code!) || isFullDisk(error);
      logger[isOurs ? "warn" : "debug"]({ ...fields, ...failureFields(error) }, "call failed");
    };

    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: followed(response.message, end) };
      end();
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

function isFullDisk(error: unknown): boolean {
  return (
    error instanceof SeglogError &&
    (error.code === "NO_SPACE" || error.code === "TOO_MANY_OPEN_FILES")
  );
}

/** `OutOfRange` -> `OUT_OF_RANGE`, as gRPC writes it. */
function statusName(code: Code): string {
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
