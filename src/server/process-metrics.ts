import { Counter, Gauge, type Registry } from "prom-client";

/**
 * What Node tells of this process, asked for when somebody looks. The defaults of prom-client would
 * leave observers of the whole process running for each server.
 */
export function registerProcessMetrics(registry: Registry): void {
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Time on processors, of user and system.",
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const register = (name: string, help: string, read: () => number) => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  register("process_resident_memory_bytes", "Memory that is in RAM.", () =>
    process.memoryUsage.rss(),
  );
  register("process_start_time_seconds", "When the process began, since 1970.", () =>
    Math.floor(Date.now() / 1000 - process.uptime()),
  );
  register(
    "nodejs_heap_used_bytes",
    "Memory of JavaScript objects.",
    () => process.memoryUsage().heapUsed,
  );
  register(
    "nodejs_external_memory_bytes",
    "Memory of buffers and the like.",
    () => process.memoryUsage().external,
  );
  register(
    "nodejs_eventloop_utilization",
    "Part of the time that the event loop was busy, since the process began.",
    () => performance.eventLoopUtilization().utilization,
  );
}
