import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { programPath } from "./program-path.js";

/** How often one looks whether a server listens by now, and how often at most. */
const LOOK_MS = 20;
const MOST_LOOKS = 500;

/** A server on loopback in a process of its own. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /**
   * Starts a program and waits until it listens.
   *
   * @param argumentsFor - Its arguments, given the port that it is to listen on.
   */
  static async start(
    program: string,
    argumentsFor: (port: number) => readonly string[],
  ): Promise<ServerProcess> {
    const port = await freePort();
    const path = programPath(program) ?? program;
    const child = spawn(path, argumentsFor(port), { stdio: ["ignore", "ignore", "inherit"] });
    const server = new ServerProcess(child, port);
    for (let look = 0; !(await isListening(port)); look++) {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
      if (look === MOST_LOOKS) {
        await server.stop();
        throw new Error(`${program} does not listen on port ${port}`);
      }
      await pause(LOOK_MS);
    }
    return server;
  }

  /** Ends it, and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill();
    await gone;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
