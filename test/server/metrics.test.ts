import { describe, expect, it, onTestFinished } from "vitest";
import { LogStore } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LagSampler } from "../../src/server/lag-sampler.js";
import { MeteredFileSystem } from "../../src/server/metered-file-system.js";
import { ServerMetrics } from "../../src/server/metrics.js";
import { openStore } from "../store/stores.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";
import { newPath } from "../support/temporary-directory.js";

async function metered() {
  const metrics = new ServerMetrics();
  const files = new FaultyFileSystem(new MemoryFileSystem());
  const environment = createEnvironment(new MeteredFileSystem(files, metrics.fileMeter), 64);
  const store = await LogStore.openOn(environment, "/data");
  onTestFinished(() => store.close().catch(() => undefined));
  metrics.watch({
    store,
    maxLagSeries: 2,
    connections: () => 3,
    bytesInFlight: () => 4,
    responseBytesInFlight: () => 4,
  });
  return { metrics, store, files };
}

/** The samples of a text of metrics: everything but its comments. */
async function samplesOf(metrics: ServerMetrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

describe("metrics", () => {
  it("tell of appends, syncs, files and segments", async () => {
    const { metrics, store } = await metered();
    await store.appendBatch("a", ["1", "2", "3"]);
    metrics.appended(3, 3);
    await store.append("b", "4");
    metrics.appended(1, 1);
    const samples = await samplesOf(metrics);
    expect(samples.get("seglog_appends_total")).toBe(2);
    expect(samples.get("seglog_appended_records_total")).toBe(4);
    expect(samples.get("seglog_appended_bytes_total")).toBe(4);
    expect(samples.get("seglog_keys")).toBe(2);
    expect(samples.get("seglog_segments")).toBe(2);
    expect(samples.get("seglog_connections")).toBe(3);
    expect(samples.get("seglog_bytes_in_flight")).toBe(4);
    expect(samples.get("seglog_fsync_seconds_count")).toBeGreaterThan(0);
    expect(samples.get("seglog_records_per_fsync_sum")).toBe(3);
    expect(samples.get("seglog_records_per_fsync_count")).toBe(1);
    expect(samples.get("seglog_open_files")).toBeGreaterThan(0);
    await store.close();
  });

  it("count open files up and down", async () => {
    const metrics = new ServerMetrics();
    const environment = createEnvironment(
      new MeteredFileSystem(new MemoryFileSystem(), metrics.fileMeter),
      64,
    );
    const store = await LogStore.openOn(environment, "/data");
    await store.append("a", "1");
    await store.close();
    expect((await samplesOf(metrics)).get("seglog_open_files")).toBe(0);
  });

  it("count calls by method and status, and time those that are not streams", async () => {
    const metrics = new ServerMetrics();
    for (const seconds of [0.003, undefined]) {
      metrics.callBegan();
      metrics.callEnded("S/M", "OK", seconds);
    }
    metrics.callBegan();
    const samples = await samplesOf(metrics);
    expect(samples.get('seglog_calls_total{method="S/M",status="OK"}')).toBe(2);
    expect(samples.get('seglog_call_seconds_count{method="S/M"}')).toBe(1);
    expect(samples.get('seglog_call_seconds_bucket{le="0.005",method="S/M"}')).toBe(1);
    expect(samples.get('seglog_call_seconds_bucket{le="0.002",method="S/M"}')).toBe(0);
    expect(samples.get("seglog_calls_under_way")).toBe(1);
  });

  it("tell of syncs that failed", async () => {
    const { metrics, store, files } = await metered();
    await store.append("a", "1");
    files.fail({ kind: "datasync" }, { errno: "EIO" });
    await store.append("a", "2").catch(() => undefined);
    expect((await samplesOf(metrics)).get("seglog_fsync_failures_total")).toBe(1);
  });

  it("tell of lag, with a bound on the series", async () => {
    const { metrics, store } = await metered();
    for (const key of ["a", "b", "c"]) await store.appendBatch(key, ["1", "2", "3"]);
    await store.group("g").commit({ a: 1, b: 3, c: 2 });
    let samples = await samplesOf(metrics);
    expect(samples.get('seglog_group_lag_records{group="g",key="a"}')).toBe(2);
    expect(samples.get('seglog_group_lag_records{group="g",key="b"}')).toBe(0);
    expect(samples.has('seglog_group_lag_records{group="g",key="c"}')).toBe(false);
    expect(samples.get("seglog_group_lag_other_records")).toBe(1);
    expect(samples.get("seglog_group_lag_unknown")).toBe(0);
    await store.deleteKey("a");
    samples = await samplesOf(metrics);
    expect(samples.has('seglog_group_lag_records{group="g",key="a"}')).toBe(false);
    expect(samples.get('seglog_group_lag_records{group="g",key="c"}')).toBe(1);
  });

  it("tell of the process, and need no timer", async () => {
    const samples = await samplesOf(new ServerMetrics());
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(samples.get("process_cpu_seconds_total")).toBeGreaterThan(0);
  });
});

describe("samples of lag", () => {
  it("open no more logs than they have series", async () => {
    const directory = newPath();
    const first = await openStore(directory);
    for (const key of ["a", "b", "c"]) await first.append(key, "1");
    await first.group("g").commit({ a: 0, b: 0, c: 0 });
    await first.close();
    const store = await openStore(directory);
    const sample = await new LagSampler(store, 1).sample();
    expect(sample).toEqual({
      series: [{ group: "g", key: "a", records: 1 }],
      otherRecords: 0,
      unknownPairs: 2,
    });
    expect(store.openLogs().map(([key]) => key)).toEqual(["a"]);
  });

  it("are the last ones when the store is closed", async () => {
    const store = await openStore(newPath());
    await store.append("a", "1");
    await store.group("g").commit({ a: 0 });
    const sampler = new LagSampler(store, 10);
    const sample = await sampler.sample();
    await store.close();
    expect(await sampler.sample()).toBe(sample);
  });
});
