import { setMaxListeners } from "node:events";
import type { ConnectRouter } from "@connectrpc/connect";
import type { LogStore } from "../store/log-store.js";
import { ComLogRpc } from "../wire/generated/api/comlog_pb.js";
import { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { ByteBudget } from "./byte-budget.js";
import { statusOf, tellFailure } from "./call-failure.js";
import { callInterceptor } from "./call-interceptor.js";
import { connectHandler } from "./connect-handler.js";
import { Front } from "./front.js";
import type { Gatekeeper } from "./gatekeeper.js";
import { routeHealth } from "./health-service.js";
import { Listener } from "./listener.js";
import { failureFields } from "./logging.js";
import type { ServerMetrics } from "./metrics.js";
import { ResponseBudget } from "./response-budget.js";
import { serviceRoutes } from "./routes.js";
import type { SeglogServer } from "./seglog-server.js";
import type { ResolvedServeOptions } from "./serve-options.js";
import type { ServingStatus } from "./serving-status.js";

/** What a server runs with. */
export interface ServerSetting
  extends Pick<ResolvedServeOptions, "port" | "comlogKey" | "origins" | "limits" | "logger"> {
  readonly store: LogStore;
  /** What to do with the store when no call is under way any more. */
  readonly finish: () => Promise<void>;
  readonly address: string;
  /** Names by which it may be called, in lower case; `undefined`: by any. */
  readonly hostNames: ReadonlySet<string> | undefined;
  readonly gatekeeper: Gatekeeper;
  readonly serving: ServingStatus;
  readonly metrics: ServerMetrics;
}

/** The server that `serve` starts. */
export class RunningServer implements SeglogServer {
  readonly #setting: ServerSetting;
  readonly #budget: ByteBudget;
  readonly #responses: ResponseBudget;
  readonly #stopping = new AbortController();
  #listener!: Listener;
  #closing: Promise<void> | undefined;
  #hasWarnedOfTls = false;

  private constructor(setting: ServerSetting) {
    const { limits } = setting;
    this.#setting = setting;
    this.#budget = new ByteBudget(limits.maxBytesInFlight, limits.roomMs);
    this.#responses = new ResponseBudget({
      maxBytes: limits.maxResponseBytesInFlight,
      roomMs: limits.roomMs,
      stallMs: limits.stallMs,
    });
    // Every stream listens.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** @throws SeglogError `IO_ERROR` if the port cannot be had, `CLOSED` if the store is. */
  static async start(setting: ServerSetting): Promise<RunningServer> {
    // Sorts them, once: where there are very many, the first listing would keep all calls waiting.
    setting.store.keysFrom("");
    const server = new RunningServer(setting);
    await server.#listen();
    setting.logger.info({ url: server.url }, "serving");
    return server;
  }

  get address(): string {
    return this.#listener.address;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    const { address, port } = this.#listener;
    const scheme = this.#setting.gatekeeper.tls === undefined ? "http" : "https";
    return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  async reload(): Promise<void> {
    const { gatekeeper, logger } = this.#setting;
    await gatekeeper.reload();
    this.#listener.renew(gatekeeper.tls);
    logger.info({}, "read certificates and tokens again");
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { serving, logger, finish } = this.#setting;
    logger.info({}, "stopping");
    serving.stop();
    this.#stopping.abort();
    await this.#listener.close();
    try {
      await finish();
    } catch (error) {
      logger.warn(failureFields(error), "stopped, but not everything is on stable storage");
      throw error;
    }
    logger.info({}, "stopped");
  }

  async #listen(): Promise<void> {
    const { store, address, port, limits, origins, hostNames, gatekeeper } = this.#setting;
    const { serving, metrics, logger } = this.#setting;
    const handleCall = connectHandler({
      routes: (router) => this.#route(router),
      maxMessageBytes: limits.maxMessageBytes,
      budget: this.#budget,
      responses: this.#responses,
      messageMs: limits.messageMs,
      onBroken: (method, error) => logger.debug({ method, ...failureFields(error) }, "call broken"),
      onStalled: (method, response) => {
        metrics.responseEnded(response.reason);
        logger.debug({ method, ...response }, "response ended, its caller took nothing of it");
      },
    });
    const front = new Front({
      handleCall,
      accessOf: (authorization) => gatekeeper.accessOf(authorization),
      origins,
      hostNames,
      serving,
      metrics,
      onRefused: (path, reason) => {
        metrics.callRefused(reason.code);
        logger.debug({ path, ...failureFields(reason) }, "call refused");
      },
    });
    this.#listener = await Listener.open({
      host: address,
      port,
      limits,
      tls: gatekeeper.tls,
      handle: (request, response, isTurnedAway) => front.handle(request, response, isTurnedAway),
      onRefused: (reason) => {
        metrics.connectionRefused();
        logger.debug({ reason }, "connection refused");
      },
      onUnexpectedTls: () => this.#warnOfTls(),
    });
    metrics.watch({
      store,
      maxLagSeries: limits.maxLagSeries,
      connections: () => this.#listener.connections,
      bytesInFlight: () => this.#budget.taken,
      responseBytesInFlight: () => this.#responses.taken,
    });
  }

  /** Once, or whoever likes could fill a disk with it. */
  #warnOfTls(): void {
    if (this.#hasWarnedOfTls) return;
    this.#hasWarnedOfTls = true;
    this.#setting.logger.warn(
      { url: this.url },
      "a client spoke TLS to this server, which has no certificate: give it one, or call http://",
    );
  }

  #route(router: ConnectRouter): void {
    const { store, limits, comlogKey, serving, metrics, logger } = this.#setting;
    const observer = { metrics, logger, onPoisoned: () => serving.poison() };
    const context = {
      store,
      limits,
      appendBudget: this.#budget,
      stopping: this.#stopping.signal,
      onAppended: (records: number, bytes: number) => metrics.appended(records, bytes),
      onBatchFailed: (error: unknown) => {
        metrics.batchFailed(statusOf(error));
        tellFailure(observer, error, {}, "batch failed");
      },
    };
    serviceRoutes(context, comlogKey, [callInterceptor(observer)])(router);
    const services = [LogService.typeName, ComLogRpc.typeName];
    routeHealth(router, serving, services);
  }
}
