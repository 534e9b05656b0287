import { stoppingError } from "./stopping.js";

interface Begun<O> {
  readonly answer: Promise<O>;
  readonly bytes: number;
}

/** How requests of a stream are answered. */
export interface OrderedAnswers<I, O> {
  /** Begins a request; called in the order of the requests, and never fails. */
  readonly begin: (request: I) => Promise<O>;
  readonly bytesOf: (request: I) => number;
  /** With so many bytes on their way, no further request is read. */
  readonly maxBytes: number;
  readonly stopping: AbortSignal;
}

/**
 * Begins requests as they come, many at a time, and gives their answers in the order of the
 * requests.
 *
 * @throws SeglogError `UNAVAILABLE` when the server stops; everything that was begun is answered
 *   by then. What reading the requests fails with.
 */
export async function* inOrder<I, O>(
  requests: AsyncIterable<I>,
  { begin, bytesOf, maxBytes, stopping }: OrderedAnswers<I, O>,
): AsyncGenerator<O, void, void> {
  const begun: Begun<O>[] = [];
  const arrival = new Bell();
  const room = new Bell();
  let bytes = 0;
  let isOver = false;
  const read = async () => {
    try {
      for await (const request of requests) {
        if (isOver) return;
        const size = bytesOf(request);
        bytes += size;
        begun.push({ answer: begin(request), bytes: size });
        arrival.ring();
        while (bytes >= maxBytes && !isOver) await room.next();
      }
    } finally {
      isOver = true;
      arrival.ring();
    }
  };
  const stop = () => {
    isOver = true;
    arrival.ring();
  };
  stopping.addEventListener("abort", stop);
  if (stopping.aborted) stop();
  const reading = read();
  // It is told when it is its turn.
  reading.catch(() => undefined);
  try {
    for (;;) {
      const first = begun.shift();
      if (first !== undefined) {
        const answer = await first.answer;
        bytes -= first.bytes;
        room.ring();
        yield answer;
      } else if (isOver) {
        break;
      } else {
        await arrival.next();
      }
    }
    if (stopping.aborted) throw stoppingError();
    await reading;
  } finally {
    isOver = true;
    room.ring();
    stopping.removeEventListener("abort", stop);
  }
}

/** Wakes the one who waits for it; what was rung while nobody waited counts, too. */
class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async next(): Promise<void> {
    if (!this.#isRung) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#isRung = false;
    this.#wake = undefined;
  }
}
