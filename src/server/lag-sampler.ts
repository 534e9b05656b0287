import type { LogStore } from "../store/log-store.js";

/** How far consumer groups are behind. */
export interface LagSample {
  /** At most so many as were asked for, in the order of groups and keys. */
  readonly series: readonly GroupLag[];
  /** Records that the remaining pairs of group and key are behind, as far as that is known. */
  readonly otherRecords: number;
  /** Pairs of which that is not known, since nobody has used their keys yet. */
  readonly unknownPairs: number;
}

/** How far a group is behind in a key. */
export interface GroupLag {
  readonly group: string;
  readonly key: string;
  /** From the next offset that the group reads to the end of the log. */
  readonly records: number;
}

const NOTHING: LagSample = { series: [], otherRecords: 0, unknownPairs: 0 };
/** How long whoever asks waits for a fresh sample before getting the last one. */
const PATIENCE_MS = 1000;

/**
 * Tells how far consumer groups are behind. A sample opens at most as many logs as it has series;
 * of others it tells what costs no file. One is taken at a time, however many ask for it.
 */
export class LagSampler {
  readonly #store: LogStore;
  readonly #maxSeries: number;
  #last = NOTHING;
  #sampling: Promise<void> | undefined;

  constructor(store: LogStore, maxSeries: number) {
    this.#store = store;
    this.#maxSeries = maxSeries;
  }

  /** A fresh sample, or the last one if that takes too long. Never fails. */
  async sample(): Promise<LagSample> {
    this.#sampling ??= this.#take()
      .then((sample) => {
        this.#last = sample;
      })
      // The store is being closed, or damaged, which its own calls tell better.
      .catch(() => undefined)
      .finally(() => {
        this.#sampling = undefined;
      });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([this.#sampling, patience]);
    clearTimeout(timer);
    return this.#last;
  }

  async #take(): Promise<LagSample> {
    const openLogs = new Map(this.#store.openLogs());
    const series: GroupLag[] = [];
    let otherRecords = 0;
    let unknownPairs = 0;
    for (const group of (await this.#store.groups()).sort()) {
      const committed = await this.#store.group(group).committed();
      for (const [key, next] of [...committed].sort(byKey)) {
        const mayOpen = series.length < this.#maxSeries;
        const end = mayOpen
          ? (await this.#store.bounds(key))?.endOffset
          : openLogs.get(key)?.endOffset;
        if (end === undefined) unknownPairs++;
        else if (mayOpen) series.push({ group, key, records: end - next });
        else otherRecords += end - next;
      }
    }
    return { series, otherRecords, unknownPairs };
  }
}

function byKey([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}
