import { once } from "node:events";
import type { Server as Http1Server, IncomingMessage, ServerResponse } from "node:http";
import type {
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
} from "node:http2";
import net, { type AddressInfo, type Socket } from "node:net";
import tls, { type SecureContextOptions } from "node:tls";
import { SeglogError } from "../errors.js";
import { Connection } from "./connection.js";
import { Handshakes } from "./handshakes.js";
import { createHttp1Server, createHttp2Server } from "./http-servers.js";
import type { ResolvedLimits } from "./limits.js";
import { type Protocol, sniffProtocol } from "./protocol-sniffer.js";

/** A request over HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The answer to it. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What there is to listen for, and where. */
export interface ListenerOptions {
  /** An address, not a name. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly limits: ResolvedLimits;
  /** Certificates; clear text without. */
  readonly tls: SecureContextOptions | undefined;
  /**
   * Answers a request; it never throws. One that is turned away is to be told that there are too
   * many connections.
   */
  readonly handle: (request: NodeRequest, response: NodeResponse, isTurnedAway: boolean) => void;
  /** Told of connections that end before they have begun: those too many, and failed handshakes. */
  readonly onRefused: (reason: string) => void;
  /** Told, too, of a client that speaks TLS where there is none: somebody has set it up wrongly. */
  readonly onUnexpectedTls: () => void;
}

/** How many connections above the limit are told of it at a time; more are closed without a word. */
const TOLD_AT_A_TIME = 64;
/** TCP finds out about a peer that has vanished, also where no protocol above does. */
const KEEP_ALIVE_MS = 30_000;

/** A port on which HTTP/1.1 and HTTP/2 are served, both with TLS or both without. */
export class Listener {
  readonly #limits: ResolvedLimits;
  readonly #options: ListenerOptions;
  readonly #front: net.Server | tls.Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  /** All there are. */
  readonly #sockets = new Set<Socket>();
  readonly #handshakes = new Handshakes();
  readonly #connections = new Set<Connection>();
  /** By what requests know: their socket, or their session. */
  readonly #connectionOf = new WeakMap<object, Connection>();
  #closing: Promise<void> | undefined;

  private constructor(options: ListenerOptions) {
    const { limits } = options;
    this.#options = options;
    this.#limits = limits;
    this.#http1 = createHttp1Server(limits);
    this.#http2 = createHttp2Server(limits);
    this.#http1.on("request", (request, response) => this.#serve(request, response));
    this.#http2.on("request", (request, response) => this.#serve(request, response));
    this.#front = this.#createFront();
    this.#front.maxConnections = limits.maxConnections + TOLD_AT_A_TIME;
    this.#front.on("drop", () => options.onRefused("there are too many connections"));
    this.#front.on("connection", (socket: Socket) => this.#note(socket));
  }

  /**
   * Begins to listen.
   *
   * @throws SeglogError `IO_ERROR` if the operating system does not let it.
   */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const { host, port } = options;
    listener.#front.listen({ host, port });
    try {
      await once(listener.#front, "listening");
    } catch (error) {
      const cause = error as NodeJS.ErrnoException;
      throw new SeglogError(
        "IO_ERROR",
        `Cannot listen on port ${port} of ${host}: ${cause.code ?? cause.message}. ` +
          "Choose a port that is free, and an address of this machine.",
        { cause },
      );
    }
    // A connection that cannot be accepted is no reason to end all others.
    listener.#front.on("error", (error: NodeJS.ErrnoException) =>
      options.onRefused(`the system cannot accept it: ${error.code ?? error.message}`),
    );
    return listener;
  }

  /** The address that it listens on, such as `127.0.0.1`. */
  get address(): string {
    return (this.#front.address() as AddressInfo).address;
  }

  /** The port that it listens on. */
  get port(): number {
    return (this.#front.address() as AddressInfo).port;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /**
   * Puts other certificates in the place of those that it has, and closes all connections, as
   * {@link Connection.close}: whoever comes back is judged by the new ones.
   */
  renew(context: SecureContextOptions | undefined): void {
    if (context !== undefined) (this.#front as tls.Server).setSecureContext(context);
    this.#closeConnections();
  }

  /**
   * Takes no more connections and calls, lets what is under way finish for as long as `shutdownMs`
   * says, then breaks off what is left. Never fails; once is enough.
   */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const breakOff = () => {
        for (const socket of this.#sockets) socket.destroy();
      };
      const deadline = setTimeout(breakOff, this.#limits.shutdownMs);
      this.#front.close(() => {
        clearTimeout(deadline);
        resolve();
      });
      this.#closeConnections();
    });
    return this.#closing;
  }

  /** Also those amid their handshake, which would be judged by the certificates of its beginning. */
  #closeConnections(): void {
    this.#handshakes.breakOff();
    for (const connection of this.#connections) connection.close();
  }

  #note(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    if (this.#options.tls !== undefined) this.#handshakes.begin(socket);
  }

  #createFront(): net.Server | tls.Server {
    const sockets = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    };
    const context = this.#options.tls;
    if (context === undefined) {
      return net.createServer(sockets, (socket) => {
        const connection = this.#accept(socket);
        sniffProtocol(socket, (greeting) => {
          if (greeting === "tls") this.#refuseTls(connection);
          else this.#use(greeting, socket, connection);
        });
      });
    }
    const isMutual = context.ca !== undefined;
    const server = tls.createServer(
      {
        ...sockets,
        ...context,
        requestCert: isMutual,
        rejectUnauthorized: isMutual,
        handshakeTimeout: this.#limits.headersMs,
        ALPNProtocols: ["h2", "http/1.1"],
      },
      (socket) => {
        this.#handshakes.end(socket);
        const protocol = socket.alpnProtocol === "h2" ? "http2" : "http1";
        this.#use(protocol, socket, this.#accept(socket));
      },
    );
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      // Node leaves it open where the handshake took too long.
      socket.destroy();
      const reason = socket.authorizationError ?? error.code ?? error.message;
      this.#options.onRefused(`the TLS handshake failed: ${reason}`);
    });
    return server;
  }

  #accept(socket: Socket): Connection {
    const isTurnedAway = this.#connections.size >= this.#limits.maxConnections;
    const connection = new Connection(socket, this.#limits, isTurnedAway);
    this.#connectionOf.set(socket, connection);
    if (isTurnedAway) this.#options.onRefused("there are too many connections");
    else this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
    if (this.#closing !== undefined) connection.destroy();
    return connection;
  }

  /** What it would understand of an answer in clear text is that something is wrong. */
  #refuseTls(connection: Connection): void {
    connection.destroy();
    this.#options.onRefused("it speaks TLS, and the server does not");
    this.#options.onUnexpectedTls();
  }

  #use(protocol: Protocol, socket: Socket, connection: Connection): void {
    // It may have been closed meanwhile.
    if (!socket.writable) return;
    if (protocol === "http1") {
      this.#http1.emit("connection", socket);
      return;
    }
    const useSession = (session: ServerHttp2Session) => {
      this.#connectionOf.set(session, connection);
      connection.useSession(session);
    };
    // The session is made before `emit` returns.
    this.#http2.once("session", useSession);
    this.#http2.emit("connection", socket);
    this.#http2.off("session", useSession);
  }

  #serve(request: NodeRequest, response: NodeResponse): void {
    let connection: Connection;
    if ("stream" in request) {
      connection = this.#connectionOf.get(request.stream.session!)!;
    } else {
      connection = this.#connectionOf.get(request.socket)!;
      connection.begin();
      response.on("close", () => connection.end());
    }
    this.#options.handle(request, response, connection.isTurnedAway);
  }
}
