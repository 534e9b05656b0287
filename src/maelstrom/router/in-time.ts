import type { Handler } from "../runtime/handler.js";
import { ERROR_CODES, MaelstromError } from "../runtime/maelstrom-error.js";
import type { Body, Request } from "../runtime/protocol.js";
import { TimeLimit } from "../time-limit.js";
import { PARTITIONS } from "./partition.js";

/**
 * How long a request may take that may have to wait for others. Maelstrom's clients give up after
 * 5 s, and a message to one that is gone does it harm: it hears nothing more of the node.
 */
const ANSWER_MS = 4200;

/**
 * Puts a limit to the time that handlers take, and makes them tell truly what became of a request
 * that waited in vain: one that only reads has changed nothing.
 *
 * @param toError - What failures are told as.
 */
export function answeredInTime(
  handlers: ReadonlyMap<string, Handler>,
  toError: (error: unknown) => MaelstromError,
): ReadonlyMap<string, Handler> {
  return new Map(
    Array.from(handlers, ([type, { answerBytes, handle }]) => {
      const isReadOnly = PARTITIONS.get(type)?.isReadOnly === true;
      const inTime = async (request: Request): Promise<Body> => {
        try {
          return await withinLimit(handle(request));
        } catch (error) {
          throw isReadOnly ? asUnavailable(toError(error)) : error;
        }
      };
      return [type, { answerBytes, handle: inTime }];
    }),
  );
}

async function withinLimit(answer: Promise<Body>): Promise<Body> {
  using limit = new TimeLimit(ANSWER_MS);
  const isOver = limit.over.then((): never => {
    throw new MaelstromError("timeout", `It could not be done within ${ANSWER_MS} ms.`);
  });
  return await Promise.race([answer, isOver]);
}

function asUnavailable(error: MaelstromError): MaelstromError {
  if (error.code !== ERROR_CODES.timeout) return error;
  return new MaelstromError("temporarilyUnavailable", error.message, { cause: error });
}
