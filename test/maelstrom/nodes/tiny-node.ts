import { createInterface } from "node:readline";
import type { Body } from "../history.js";

/** An error that another participant answered with, or that is to be answered. */
export class CodedError extends Error {
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** What a node does with a request; resolves with the body of the answer. */
export type Handle = (body: Body) => Promise<Body>;

/** A node that does no more than it must: answers requests, and asks others. */
export class TinyNode {
  readonly #handlers: Readonly<Record<string, Handle>>;
  readonly #waiting = new Map<unknown, (reply: Body) => void>();
  #id = "";
  #lastMessageId = 0;

  constructor(handlers: Readonly<Record<string, Handle>>) {
    this.#handlers = handlers;
    createInterface({ input: process.stdin }).on("line", (line) => this.#take(line));
  }

  /** Asks another participant; rejects with what it answers if that is an error. */
  async ask(dest: string, body: Body): Promise<Body> {
    const messageId = ++this.#lastMessageId;
    const reply = await new Promise<Body>((resolve) => {
      this.#waiting.set(messageId, resolve);
      this.#send(dest, { ...body, msg_id: messageId });
    });
    if (reply.type === "error") throw new CodedError(Number(reply.code), String(reply.text));
    return reply;
  }

  #take(line: string): void {
    const { src, body } = JSON.parse(line) as { src: string; body: Body };
    if (body.in_reply_to === undefined) {
      void this.#answer(src, body);
      return;
    }
    this.#waiting.get(body.in_reply_to)?.(body);
    this.#waiting.delete(body.in_reply_to);
  }

  async #answer(src: string, body: Body): Promise<void> {
    const reply = await this.#handle(body).catch((error: unknown) => {
      const code = error instanceof CodedError ? error.code : 13;
      return { type: "error", code, text: String(error) };
    });
    this.#send(src, { ...reply, in_reply_to: body.msg_id });
  }

  async #handle(body: Body): Promise<Body> {
    if (body.type === "init") {
      this.#id = String(body.node_id);
      return { type: "init_ok" };
    }
    const handler = this.#handlers[body.type];
    if (!handler) throw new CodedError(10, `not supported: ${body.type}`);
    return await handler(body);
  }

  #send(dest: string, body: Body): void {
    process.stdout.write(`${JSON.stringify({ src: this.#id, dest, body })}\n`);
  }
}
