import { readdirSync } from 'node:fs';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import type Registry from 'prom-client/lib/registry.js';
import { setTotal } from './metric-values.ts';

/** Adds what every process of Berth tells of itself, by the names that Prometheus' client libraries have agreed on. */
export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  const startTime = Math.round(performance.timeOrigin / 1000);
  const gauge = (name: string, help: string, measure: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(measure());
      },
    });
  };
  gauge('process_start_time_seconds', 'Start of the process since the epoch', () => startTime);
  gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed);
  gauge('process_open_fds', 'Open file descriptors', () => readdirSync('/proc/self/fd').length);
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time, user and system',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      setTotal(this, (user + system) / 1e6);
    },
  });
}
