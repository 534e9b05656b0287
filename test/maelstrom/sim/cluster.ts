import type { Body } from "../history.js";
import { ProgramProcess } from "../program-process.js";
import { isService, type Message, parseMessage } from "./message.js";
import type { Network } from "./network.js";

/** Maelstrom waits that long for a node to introduce itself. */
const INIT_TIMEOUT_MS = 10_000;

/** How long a node may take to end when its input has ended. */
const END_TIMEOUT_MS = 10_000;

/** How much of a line is shown, and of a log. */
const SHOWN_LINE = 300;
const SHOWN_LOG = 2_000;

/** A program that is started once for each node. */
export interface NodeProgram {
  readonly path: string;
  /** Its command line, the same for all nodes as in Maelstrom. */
  readonly args: readonly string[];
}

/** The nodes of a run: processes that send and get their messages as lines. */
export class Cluster {
  readonly #network: Network;
  readonly #nodes: readonly string[];
  readonly #processes = new Map<string, ProgramProcess>();
  readonly #complaints: string[] = [];
  #messages = 0;
  #ending = false;

  /** Starts the processes; they must be ended with {@link end}. */
  constructor(network: Network, nodes: readonly string[], program: NodeProgram) {
    this.#network = network;
    this.#nodes = nodes;
    for (const node of nodes) this.#start(node, program);
  }

  /** What nodes did wrong beside answering wrongly: lines that are no messages, a sudden end. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** Introduces all nodes to each other, each by a client of its own. */
  async init(): Promise<void> {
    await Promise.all(this.#nodes.map((node, index) => this.#init(node, `c${index}`)));
  }

  /** Ends all processes, and complains about those that do not end by themselves. */
  async end(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#processes].map(([node, process]) => this.#end(node, process)));
  }

  #start(node: string, { path, args }: NodeProgram): void {
    const process = new ProgramProcess(path, args, (line) => this.#take(node, line));
    this.#processes.set(node, process);
    this.#network.join(node, (message) => {
      process.write(`${JSON.stringify({ id: this.#messages++, ...message })}\n`);
    });
    void process.exit.then(({ code, signal }) => {
      if (!this.#ending) this.#complain(node, `ended with ${code ?? signal}`);
    });
  }

  #take(node: string, line: string): void {
    const message = parseMessage(line);
    const shown = line.slice(0, SHOWN_LINE);
    if ("fault" in message)
      this.#complain(node, `wrote what is no message, ${message.fault}: ${shown}`);
    else if (message.src !== node) this.#complain(node, `wrote in another's name: ${shown}`);
    else if (!this.#exists(message.dest)) this.#complain(node, `wrote to nobody: ${shown}`);
    else this.#network.send(message);
  }

  /** A client that is gone is nobody: Maelstrom may hear nothing more of a node that answers it. */
  #exists(name: string): boolean {
    return isService(name) || this.#processes.has(name) || this.#network.has(name);
  }

  async #init(node: string, client: string): Promise<void> {
    const body: Body = { type: "init", node_id: node, node_ids: this.#nodes, msg_id: 1 };
    const process = this.#processes.get(node)!;
    const reply = await new Promise<Message>((resolve, reject) => {
      this.#network.join(client, resolve);
      const fail = () => reject(new Error(`${node} did not answer init: ${process.log}`));
      const timer = setTimeout(fail, INIT_TIMEOUT_MS);
      void process.exit.then(() => clearTimeout(timer)).then(fail);
      this.#network.send({ src: client, dest: node, body });
    });
    this.#network.leave(client);
    if (reply.body.type === "init_ok") return;
    throw new Error(`${node} answered init with ${JSON.stringify(reply.body)}`);
  }

  async #end(node: string, process: ProgramProcess): Promise<void> {
    const timer = setTimeout(() => void process.kill(), END_TIMEOUT_MS);
    const { code, signal } = await process.end();
    clearTimeout(timer);
    if (code !== 0) this.#complain(node, `ended with ${code ?? signal}`);
  }

  #complain(node: string, what: string): void {
    const log = this.#processes.get(node)?.log.trim().slice(-SHOWN_LOG);
    this.#complaints.push(`${node} ${what}${log ? `\nIts log: ${log}` : ""}`);
  }
}
