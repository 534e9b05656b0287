import type { Random } from "../random.js";
import type { Network } from "./network.js";
import { cutNetwork, PARTITION_SHAPES, type PartitionShape } from "./partition.js";

/** What a nemesis is made of. */
export interface NemesisOptions {
  readonly network: Network;
  readonly nodes: readonly string[];
  readonly random: Random;
  /** Between one cut or repair and the next there is anything up to twice that long. */
  readonly intervalMs: number;
}

/** A time in which the nemesis was at work, on the clock of `performance.now()`. */
interface Interval {
  readonly shape: PartitionShape;
  /** Not all shapes cut small networks. */
  readonly cuts: boolean;
  readonly from: number;
  to: number;
}

/** Cuts the network and repairs it in turns. */
export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #intervals: Interval[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  /** How often it has cut the network, by shape. */
  get partitions(): ReadonlyMap<PartitionShape, number> {
    const counts = new Map<PartitionShape, number>();
    for (const { shape } of this.#intervals) counts.set(shape, (counts.get(shape) ?? 0) + 1);
    return counts;
  }

  /** Begins with a cut, and goes on until {@link stop}. */
  start(): void {
    this.#cut();
  }

  /** Repairs the network for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#heal();
  }

  /** Whether the network was cut at any time between two moments. */
  wasCut(from: number, to: number): boolean {
    return this.#intervals.some(
      (interval) => interval.cuts && interval.from <= to && interval.to >= from,
    );
  }

  #cut(): void {
    const { network, nodes, random } = this.#options;
    const shape = random.pick(PARTITION_SHAPES);
    const cut = cutNetwork(shape, nodes, random);
    network.partition(cut);
    this.#intervals.push({
      shape,
      cuts: [...cut.values()].some(({ size }) => size > 0),
      from: performance.now(),
      to: Number.POSITIVE_INFINITY,
    });
    this.#later(() => {
      this.#heal();
      this.#later(() => this.#cut());
    });
  }

  #heal(): void {
    this.#options.network.heal();
    const last = this.#intervals.at(-1);
    if (last) last.to = Math.min(last.to, performance.now());
  }

  #later(action: () => void): void {
    const { random, intervalMs } = this.#options;
    this.#timer = setTimeout(action, random.next() * 2 * intervalMs);
  }
}
