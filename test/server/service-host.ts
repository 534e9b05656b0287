import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import {
  type Client,
  createClient,
  createContextValues,
  type Transport,
} from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import type { LogStore } from "../../src/index.js";
import { ACCESS, type Access, FULL_ACCESS } from "../../src/server/access.js";
import { resolveLimits } from "../../src/server/limits.js";
import { serviceRoutes } from "../../src/server/routes.js";
import type { ServiceContext } from "../../src/server/service-context.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";

export const COMLOG_KEY = "comlog";

/** The protocols that the services speak. */
export const PROTOCOLS = ["gRPC", "gRPC-Web", "Connect", "Connect JSON"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Services of a store on two ports of this machine, with nothing around them. */
export interface ServiceHost {
  readonly http2Url: string;
  readonly http1Url: string;
  readonly stopping: AbortController;
  transport(protocol?: Protocol): Transport;
  client(protocol?: Protocol): Client<typeof LogService>;
}

interface HostOptions {
  readonly access?: Access;
  readonly limits?: Partial<ServiceContext["limits"]>;
  readonly appendBudget?: ServiceContext["appendBudget"];
}

const UNBOUNDED = { take: () => Promise.resolve(() => undefined) };

/** Hosts the services of a store until the test ends. */
export async function host(
  store: LogStore,
  { access = FULL_ACCESS, limits, appendBudget = UNBOUNDED }: HostOptions = {},
): Promise<ServiceHost> {
  const stopping = new AbortController();
  const context: ServiceContext = {
    store,
    limits: { ...resolveLimits(), ...limits },
    appendBudget,
    onAppended: () => undefined,
    onBatchFailed: () => undefined,
    stopping: stopping.signal,
  };
  const handler = connectNodeAdapter({
    jsonOptions: { alwaysEmitImplicit: true },
    routes: serviceRoutes(context, COMLOG_KEY, []),
    contextValues: () => createContextValues().set(ACCESS, access),
  });
  const http2 = createHttp2Server(handler);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const http1 = createHttpServer(handler);
  const http2Url = await listen(http2);
  const http1Url = await listen(http1);
  onTestFinished(async () => {
    stopping.abort();
    for (const session of sessions) session.destroy();
    http1.closeAllConnections();
    await Promise.all([http2, http1].map((server) => new Promise((done) => server.close(done))));
  });
  const transport = (protocol: Protocol = "gRPC") => {
    if (protocol === "gRPC") return createGrpcTransport({ baseUrl: http2Url });
    if (protocol === "gRPC-Web") {
      return createGrpcWebTransport({ baseUrl: http1Url, httpVersion: "1.1" });
    }
    const useBinaryFormat = protocol === "Connect";
    return createConnectTransport({ baseUrl: http2Url, httpVersion: "2", useBinaryFormat });
  };
  return {
    http2Url,
    http1Url,
    stopping,
    transport,
    client: (protocol) => createClient(LogService, transport(protocol)),
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Rejections of a promise as a value, for tests of failures. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("It did not fail");
    },
    (error: unknown) => error,
  );
}
