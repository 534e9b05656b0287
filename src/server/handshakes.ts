import type { Socket } from "node:net";

/** The sockets that are amid their TLS handshake. */
export class Handshakes {
  readonly #sockets = new Map<string, Socket>();

  begin(socket: Socket): void {
    const peer = peerOf(socket);
    this.#sockets.set(peer, socket);
    socket.on("close", () => {
      if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
    });
  }

  /** @param secured - The TLS socket that came of one of them. */
  end(secured: Socket): void {
    this.#sockets.delete(peerOf(secured));
  }

  /** Closes all of them. */
  breakOff(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

/** A TLS socket does not tell which socket it stands on, but both know who is at the other end. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
