import { createContextValues } from "@connectrpc/connect";
import { SeglogError, type SeglogErrorCode } from "../errors.js";
import { ACCESS, type Access, NO_ACCESS } from "./access.js";
import type { ConnectHandler } from "./connect-handler.js";
import { isCalledBy } from "./host-names.js";
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
  /** Names of the host by which it may be called, in lower case; `undefined`: by any. */
  readonly hostNames: ReadonlySet<string> | undefined;
  readonly serving: ServingStatus;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Told of a call that was refused before its service has seen it. */
  readonly onRefused: (path: string, reason: SeglogError) => void;
}

/** Whoever asks for these is told without a token. */
const HEALTH_SERVICE = "/grpc.health.v1.Health/";
const HTTP_STATUS: Partial<Readonly<Record<SeglogErrorCode, number>>> = {
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  LIMIT_EXCEEDED: 503,
};

const WRONG_HOST =
  "A server without tokens is called by its address or as localhost, not by this name.\n";

/** What a browser shows. */
interface Page {
  readonly status: number;
  readonly text: string;
  /** Default: plain text. */
  readonly type?: string;
}

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
    const { hostNames } = this.#options;
    if (hostNames !== undefined && !isCalledBy(hostNames, request)) {
      show(response, { status: 403, text: WRONG_HOST });
      return;
    }
    if (admitOrigin(request, response, this.#options.origins)) return;
    const path = request.url?.split("?", 1)[0] ?? "";
    if (path === "/healthz") show(response, this.#healthPage());
    else if (path === "/metrics") {
      void this.#metricsPage(request, isTurnedAway).then((page) => show(response, page));
    } else this.#call(request, response, path, isTurnedAway);
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
    show(response, { status: 404, text: "There is nothing here.\n" });
  }

  #healthPage(): Page {
    return this.#options.serving.isServing
      ? { status: 200, text: "serving\n" }
      : { status: 503, text: "not serving\n" };
  }

  async #metricsPage(request: NodeRequest, isTurnedAway: boolean): Promise<Page> {
    try {
      // The names of groups and keys are among them, so it takes a right to all keys.
      const access = this.#admit(request, isTurnedAway, false);
      if (!access.may("admin", "")) {
        throw new SeglogError(
          "PERMISSION_DENIED",
          "The metrics need a token with the right admin to all keys.",
        );
      }
      const { metrics } = this.#options;
      return { status: 200, text: await metrics.text(), type: metrics.contentType };
    } catch (error) {
      const code = error instanceof SeglogError ? error.code : undefined;
      const status = code === undefined ? undefined : HTTP_STATUS[code];
      if (status === undefined) return { status: 500, text: "The metrics cannot be told.\n" };
      return { status, text: `${(error as Error).message}\n` };
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

function show(response: NodeResponse, { status, text, type = "text/plain" }: Page): void {
  const headers = { "content-type": type, "x-content-type-options": "nosniff" };
  response.writeHead(status, headers).end(text);
}
