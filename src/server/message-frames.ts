/** A flag, and the length of the message in four bytes. */
const PREFIX_BYTES = 5;

/** Finds where messages end in a body of gRPC, gRPC-Web or a stream of Connect, piece by piece. */
export class MessageFrames {
  #prefix = 0;
  #messageBytes = 0;
  #missing = 0;
  #incomplete = 0;

  /** @returns how many of the bytes so far are of a message that is not complete. */
  feed(piece: Uint8Array): number {
    for (let index = 0; index < piece.length; ) {
      if (this.#prefix < PREFIX_BYTES) {
        if (this.#prefix > 0) this.#messageBytes = this.#messageBytes * 256 + piece[index]!;
        this.#prefix++;
        this.#incomplete++;
        this.#missing = this.#messageBytes;
        index++;
      } else {
        const count = Math.min(this.#missing, piece.length - index);
        this.#missing -= count;
        this.#incomplete += count;
        index += count;
      }
      if (this.#prefix === PREFIX_BYTES && this.#missing === 0) this.#begin();
    }
    return this.#incomplete;
  }

  #begin(): void {
    this.#prefix = 0;
    this.#messageBytes = 0;
    this.#incomplete = 0;
  }
}
