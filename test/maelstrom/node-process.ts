import { fileURLToPath } from "node:url";
import type { Body } from "./history.js";
import { ProgramProcess } from "./program-process.js";

/** The node ended before it answered: nobody knows whether it did what it was asked for. */
export class NoAnswerError extends Error {}

interface Waiting {
  readonly resolve: (reply: Body) => void;
  readonly reject: (error: Error) => void;
}

/** The built node program, running as Maelstrom would run it, and its clients' side of the pipes. */
export class NodeProcess extends ProgramProcess {
  /** What came on standard output and answers no open request. Must stay empty. */
  readonly strayLines: string[] = [];
  /** The last line on standard output. */
  lastLine = "";
  readonly #waiting = new Map<string, Waiting>();
  #lastMessageId = 0;
  #ended: NoAnswerError | undefined;

  /**
   * @param program - Path of the built `maelstrom/main.js`.
   * @param args - Its command line.
   */
  constructor(program: string, args: readonly string[]) {
    super(program, args, (line) => this.#take(line));
    void this.exit.then(({ code, signal }) => {
      this.#ended = new NoAnswerError(`the node ended with ${code ?? signal}: ${this.log}`);
      for (const { reject } of this.#waiting.values()) reject(this.#ended);
      this.#waiting.clear();
    });
  }

  /** Requests that wait for an answer. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  /** Sends a request in the name of a client and resolves with the body of the answer. */
  request(client: string, body: Body): Promise<Body> {
    const messageId = ++this.#lastMessageId;
    const message = { src: client, dest: "n0", body: { ...body, msg_id: messageId } };
    return this.exchange(JSON.stringify(message), client, messageId);
  }

  /**
   * Writes a line as it is and resolves with the body of the answer to it.
   *
   * Rejects with {@link NoAnswerError} if the process ends without one.
   */
  exchange(line: string, client: string, messageId: number): Promise<Body> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      this.#waiting.set(nameOf(client, messageId), { resolve, reject });
      this.write(`${line}\n`);
    });
  }

  /** Introduces the node to a network of its own. */
  async init(): Promise<void> {
    const body = { type: "init", node_id: "n0", node_ids: ["n0"] };
    const reply = await this.request("c0", body);
    if (reply.type !== "init_ok") throw new Error(`not init_ok but ${JSON.stringify(reply)}`);
  }

  /**
   * Resolves when the log holds `text`, at `position` or behind it. Rejects if the process ends
   * without that.
   */
  async logged(text: string, position = 0): Promise<void> {
    while (!this.log.includes(text, position)) {
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.child.stderr?.once("data", () => resolve());
        this.child.once("close", () => resolve());
      });
    }
  }

  #take(line: string): void {
    this.lastLine = line;
    const message = parse(line);
    const body = message?.body;
    const name = body ? nameOf(message.dest, body.in_reply_to) : "";
    const waiting = this.#waiting.get(name);
    if (body && waiting && message.src === "n0") {
      this.#waiting.delete(name);
      const { in_reply_to: _, ...rest } = body;
      waiting.resolve(rest as Body);
    } else {
      this.strayLines.push(line);
    }
  }
}

function nameOf(client: unknown, messageId: unknown): string {
  return JSON.stringify([client, messageId]);
}

function parse(line: string): { src?: unknown; dest?: unknown; body?: Body } | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Path of the node program of this package, as the last build left it. */
export function builtNode(packageRoot: URL): string {
  return fileURLToPath(new URL("dist/maelstrom/main.js", packageRoot));
}
