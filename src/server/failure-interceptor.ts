import type { Interceptor } from "@connectrpc/connect";
import { toConnectError } from "../wire/failure.js";

/** Tells a caller of failures as the wire has them; see `toConnectError`. */
export const failureInterceptor: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: withFailures(response.message) } : response;
  } catch (error) {
    throw toConnectError(error);
  }
};

async function* withFailures<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error);
  }
}
