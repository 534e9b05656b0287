import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { LogStore } from "../store/log-store.js";
import { LagSampler } from "./lag-sampler.js";
import type { FileMeter } from "./metered-file-system.js";
import { registerProcessMetrics } from "./process-metrics.js";
import type { StallReason } from "./response-room.js";

/** From a call that is answered from memory to one that waits for a slow disk. */
const CALL_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];
const SYNC_SECONDS = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];
const RECORDS = [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000];

/** What is asked only when somebody looks. */
export interface MeteredServer {
  readonly store: LogStore;
  readonly maxLagSeries: number;
  connections(): number;
  bytesInFlight(): number;
  responseBytesInFlight(): number;
}

/**
 * What a server counts, in a registry of its own. The names are part of the public interface;
 * docs/server.md has a table of them.
 */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #only = { registers: [this.#registry] };
  readonly #appends = this.#counter("seglog_appends_total", "Batches that were appended.");
  readonly #records = this.#counter("seglog_appended_records_total", "Records of those batches.");
  readonly #bytes = this.#counter(
    "seglog_appended_bytes_total",
    "Bytes of the values, keys and headers of those records.",
  );
  readonly #calls = new Counter({
    name: "seglog_calls_total",
    help: "Calls that have ended, by method and gRPC status.",
    labelNames: ["method", "status"],
    ...this.#only,
  });
  readonly #callSeconds = new Histogram({
    name: "seglog_call_seconds",
    help: "How long calls took that are not streams.",
    labelNames: ["method"],
    buckets: CALL_SECONDS,
    ...this.#only,
  });
  readonly #failedBatches = new Counter({
    name: "seglog_stream_batches_failed_total",
    help: "Batches that failed in streams which went on, by gRPC status.",
    labelNames: ["status"],
    ...this.#only,
  });
  readonly #refusedCalls = new Counter({
    name: "seglog_calls_refused_total",
    help: "Calls that were refused before their service has seen them, by code.",
    labelNames: ["code"],
    ...this.#only,
  });
  readonly #stalledResponses = new Counter({
    name: "seglog_responses_ended_total",
    help: "Responses that were ended because their callers took nothing of them, by reason.",
    labelNames: ["reason"],
    ...this.#only,
  });
  readonly #callsUnderWay = this.#gauge("seglog_calls_under_way", "Calls that have not ended.");
  readonly #refused = this.#counter(
    "seglog_connections_refused_total",
    "Connections above the limit, and failed TLS handshakes.",
  );
  readonly #syncSeconds = new Histogram({
    name: "seglog_fsync_seconds",
    help: "How long it took to put a file or directory on stable storage.",
    buckets: SYNC_SECONDS,
    ...this.#only,
  });
  readonly #syncFailures = this.#counter("seglog_fsync_failures_total", "Syncs that failed.");
  readonly #recordsPerSync = new Histogram({
    name: "seglog_records_per_fsync",
    help: "Records that were acknowledged since the sync before, where there were any.",
    buckets: RECORDS,
    ...this.#only,
  });
  readonly #openFiles = this.#gauge("seglog_open_files", "Files of the store that are open.");
  #recordsSinceSync = 0;

  constructor() {
    registerProcessMetrics(this.#registry);
  }

  /** For a `MeteredFileSystem`. */
  readonly fileMeter: FileMeter = {
    opened: () => this.#openFiles.inc(),
    closed: () => this.#openFiles.dec(),
    synced: (seconds, isDone) => {
      this.#syncSeconds.observe(seconds);
      if (!isDone) this.#syncFailures.inc();
      if (this.#recordsSinceSync > 0) this.#recordsPerSync.observe(this.#recordsSinceSync);
      this.#recordsSinceSync = 0;
    },
  };

  /** A batch was acknowledged. */
  appended(records: number, bytes: number): void {
    this.#appends.inc();
    this.#records.inc(records);
    this.#bytes.inc(bytes);
    this.#recordsSinceSync += records;
  }

  callBegan(): void {
    this.#callsUnderWay.inc();
  }

  /** @param seconds - `undefined` for a stream, which lasts as long as its caller likes. */
  callEnded(method: string, status: string, seconds: number | undefined): void {
    this.#callsUnderWay.dec();
    this.#calls.inc({ method, status });
    if (seconds !== undefined) this.#callSeconds.observe({ method }, seconds);
  }

  batchFailed(status: string): void {
    this.#failedBatches.inc({ status });
  }

  /** @param code - Of a `SeglogError`. */
  callRefused(code: string): void {
    this.#refusedCalls.inc({ code });
  }

  responseEnded(reason: StallReason): void {
    this.#stalledResponses.inc({ reason });
  }

  connectionRefused(): void {
    this.#refused.inc();
  }

  /** Adds what is asked of a running server; once. */
  watch(server: MeteredServer): void {
    const { store, maxLagSeries, connections, bytesInFlight, responseBytesInFlight } = server;
    this.#gauge("seglog_connections", "Connections that are open.", connections);
    this.#gauge("seglog_bytes_in_flight", "Bytes of requests on their way.", bytesInFlight);
    this.#gauge(
      "seglog_response_bytes_in_flight",
      "Bytes that responses hold which the network has not taken.",
      responseBytesInFlight,
    );
    this.#gauge("seglog_keys", "Keys of the store.", () => store.keyCount);
    this.#gauge("seglog_segments", "Segments of the logs that are open.", () =>
      store.openLogs().reduce((sum, [, log]) => sum + log.segmentCount, 0),
    );
    this.#watchLag(new LagSampler(store, maxLagSeries));
  }

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The three are collected side by side, so that they share a sample. */
  #watchLag(sampler: LagSampler): void {
    new Gauge({
      name: "seglog_group_lag_records",
      help: "Records that a consumer group is behind in a key.",
      labelNames: ["group", "key"],
      ...this.#only,
      async collect() {
        const { series } = await sampler.sample();
        this.reset();
        for (const { group, key, records } of series) this.set({ group, key }, records);
      },
    });
    this.#gauge(
      "seglog_group_lag_other_records",
      "Records that the groups are behind in keys without a series of their own.",
      async () => (await sampler.sample()).otherRecords,
    );
    this.#gauge(
      "seglog_group_lag_unknown",
      "Pairs of group and key of which that is not known: nobody has used the key yet.",
      async () => (await sampler.sample()).unknownPairs,
    );
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, ...this.#only });
  }

  /** @param read - Asked when somebody looks; without it, the gauge is set. */
  #gauge(name: string, help: string, read?: () => number | Promise<number>): Gauge {
    return new Gauge({
      name,
      help,
      ...this.#only,
      ...(read && {
        async collect() {
          this.set(await read());
        },
      }),
    });
  }
}
