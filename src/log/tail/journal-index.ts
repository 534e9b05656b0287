/** Where the records of one log stand in the journal: a run of offsets that follow each other. */
export interface JournaledRun {
  /** Of the first record, in its log. */
  readonly firstOffset: number;
  /** One past the last record's. */
  readonly endOffset: number;
  /** Offsets in the journal, one for each record; there may be later ones behind the run. */
  readonly places: readonly number[];
}

/** What a {@link JournalIndex} knows of one log. Whoever adds to it often keeps it at hand. */
export class LogRun {
  firstOffset = 0;
  places: number[] = [];
  /** So many of them, from the first on, are in the log's segments, on stable storage. */
  settledCount = 0;
  maxTimestamp = 0;
  /** Whether a producer appended some of them, or of those that stood before them. */
  hasProducers = false;
  /** Set when the index knows nothing more of it; what is added then needs another one. */
  isDropped = false;
}

/**
 * Which records of which logs stand in a journal. Of each log, the last run counts: where offsets
 * do not follow each other, those between went straight to the log's segments, or were truncated,
 * and either is done only when the segments have all that came before.
 */
export class JournalIndex {
  readonly #runs = new Map<string, LogRun>();
  #endPlace = 0;

  /** One past the last place that was added: all before it are known. */
  get endPlace(): number {
    return this.#endPlace;
  }

  /** The logs that have records here which their segments may lack. */
  *unsettled(): Generator<string, void, void> {
    for (const [log, run] of this.#runs) if (run.settledCount < run.places.length) yield log;
  }

  /** How many records of a log are here which its segments may lack. */
  unsettledCount(log: string): number {
    const run = this.#runs.get(log);
    return run === undefined ? 0 : run.places.length - run.settledCount;
  }

  /** The first place of a record that segments may lack; infinity if there is none. */
  firstUnsettledPlace(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { places, settledCount } of this.#runs.values()) {
      first = Math.min(first, places[settledCount] ?? first);
    }
    return first;
  }

  /** What stands here of a log now; what is added or dropped later does not change it. */
  runOf(log: string): JournaledRun | undefined {
    const run = this.#runs.get(log);
    if (run === undefined || run.places.length === 0) return undefined;
    const { firstOffset, places } = run;
    return { firstOffset, endOffset: firstOffset + places.length, places };
  }

  /** The latest timestamp of the records of a log that were added since its run began. */
  maxTimestampOf(log: string): number {
    return this.#runs.get(log)?.maxTimestamp ?? 0;
  }

  /** Whether some of the records of a log that are here may be of producers. */
  hasProducers(log: string): boolean {
    return this.#runs.get(log)?.hasProducers ?? false;
  }

  /** Where records of a log are added, until it is dropped. */
  runFor(log: string): LogRun {
    let run = this.#runs.get(log);
    if (run === undefined) {
      run = new LogRun();
      this.#runs.set(log, run);
    }
    return run;
  }

  /** Records are added in the order of their places. */
  add(run: LogRun, offset: number, place: number, timestamp: number, isOfProducer: boolean): void {
    this.#endPlace = place + 1;
    if (offset === run.firstOffset + run.places.length) {
      run.places.push(place);
      if (timestamp > run.maxTimestamp) run.maxTimestamp = timestamp;
    } else {
      run.firstOffset = offset;
      run.places = [place];
      run.settledCount = 0;
      run.maxTimestamp = timestamp;
      run.hasProducers = false;
    }
    if (isOfProducer) run.hasProducers = true;
  }

  /** The segments of a log have all that it has below `endOffset`, on stable storage. */
  settled(log: string, endOffset: number): void {
    const run = this.#runs.get(log);
    if (run === undefined) return;
    const count = Math.min(endOffset - run.firstOffset, run.places.length);
    run.settledCount = Math.max(run.settledCount, count);
  }

  /** What stands here of a log no longer counts. */
  forget(log: string): void {
    const run = this.#runs.get(log);
    if (run !== undefined) this.#drop(log, run);
  }

  /** Drops what stands before a place: the journal no longer has it. */
  dropBefore(place: number): void {
    for (const [log, run] of this.#runs) {
      const dropped = run.places.findIndex((each) => each >= place);
      if (dropped < 0) {
        this.#drop(log, run);
      } else if (dropped > 0) {
        run.firstOffset += dropped;
        run.places = run.places.slice(dropped);
        run.settledCount = Math.max(run.settledCount - dropped, 0);
      }
    }
  }

  #drop(log: string, run: LogRun): void {
    run.isDropped = true;
    // Whoever keeps it at hand may do so for long.
    run.places = [];
    this.#runs.delete(log);
  }
}
