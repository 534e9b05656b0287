import { createContextValues } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import { ACCESS, type Access, NO_ACCESS } from "./access.js";
import type { ConnectHandler } from "./connect-handler.js";
import type { NodeRequest, NodeResponse } from "./listener.js";
import { admitOrigin } from "./origins.js";
import type { ServingStatus } from "./serving-status.js";

/** What a request may meet. */
export interface FrontOptions {
  readonly handleCall: ConnectHandler;
  /**
   * Who sends an `authorization` header.
   *
   * @throws SeglogError `UNAUTHENTICATED`.
   */
  readonly accessOf: (authorization: string | undefined) => Access;
  /** Origins of web pages that may call. */
  readonly origins: ReadonlySet<string>;
  readonly serving: ServingStatus;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Told of a call that was refused before its service has seen it. */
  readonly onRefused: (path: string, reason: SeglogError) => void;
}

/** Whoever asks for these is told without a token. */
const HEALTH_SERVICE = "/grpc.health.v1.Health/";
const HTTP_STATUS = { UNAUTHENTICATED: 401, PERMISSION_DENIED: 403, LIMIT_EXCEEDED: 503 } as const;

/** Answers every request: the health page, the metrics, and the calls of services. */
export class Front {
  readonly #options: FrontOptions;

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  /** Answers a request; never throws. */
  handle(request: NodeRequest, response: NodeResponse, isTurnedAway: boolean): void {
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (admitOrigin(request, response, this.#options.origins)) return;
    const path = request.url?.split("?", 1)[0] ?? "";
    if (path === "/healthz") this.#tellHealth(response);
    else if (path === "/metrics") void this.#tellMetrics(request, response, isTurnedAway);
    else this.#call(request, response, path, isTurnedAway);
  }

  #call(request: NodeRequest, response: NodeResponse, path: string, isTurnedAway: boolean): void {
    let access = NO_ACCESS;
    let refusal: SeglogError | undefined;
    try {
      access = this.#admit(request, isTurnedAway, path.startsWith(HEALTH_SERVICE));
    } catch (error) {
      refusal = error as SeglogError;
      this.#options.onRefused(path, refusal);
    }
    const values = createContextValues().set(ACCESS, access);
    if (this.#options.handleCall(request, response, values, refusal)) return;
    answer(response, 404, "There is nothing here.\n");
  }

  #tellHealth(response: NodeResponse): void {
    if (this.#options.serving.isServing) answer(response, 200, "serving\n");
    else answer(response, 503, "not serving\n");
  }

  async #tellMetrics(
    request: NodeRequest,
    response: NodeResponse,
    isTurnedAway: boolean,
  ): Promise<void> {
    try {
      // The names of groups and keys are among them, so it takes a right to all keys.
      const access = this.#admit(request, isTurnedAway, false);
      if (!access.may("admin", "")) {
        throw new SeglogError(
          "PERMISSION_DENIED",
          "The metrics need a token with the right admin to all keys.",
        );
      }
      const { contentType } = this.#options.metrics;
      answer(response, 200, await this.#options.metrics.text(), contentType);
    } catch (error) {
      const code = error instanceof SeglogError ? error.code : "";
      const status = Object.hasOwn(HTTP_STATUS, code)
        ? HTTP_STATUS[code as keyof typeof HTTP_STATUS]
        : 500;
      answer(response, status, `${status === 500 ? "failed" : (error as Error).message}\n`);
    }
  }

  /** @throws SeglogError `LIMIT_EXCEEDED`, `UNAUTHENTICATED`. */
  #admit(request: NodeRequest, isTurnedAway: boolean, isOpenToAll: boolean): Access {
    if (isTurnedAway) {
      throw new SeglogError(
        "LIMIT_EXCEEDED",
        "The server has as many connections as it takes (maxConnections). Nothing was done. " +
          "Try again later, or raise the limit.",
      );
    }
    if (isOpenToAll) return NO_ACCESS;
    return this.#options.accessOf(request.headers.authorization);
  }
}

function answer(response: NodeResponse, status: number, text: string, type = "text/plain"): void {
  const headers = { "content-type": type, "x-content-type-options": "nosniff" };
  response.writeHead(status, headers).end(text);
}
