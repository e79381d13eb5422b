// SPDX-License-Identifier: Apache-2.0
import type { SourceMetric } from './metric-source.js';

/** The process itself, under the names that Prometheus' client libraries use. */
export function processMetrics(): readonly SourceMetric[] {
  const { user, system } = process.cpuUsage();
  const one = (kind: 'counter' | 'gauge', name: string, help: string, value: number): SourceMetric => ({
    kind,
    name,
    help,
    samples: [{ labels: {}, value }],
  });
  return [
    one('counter', 'process_cpu_seconds_total', 'CPU time, user and system, in seconds.', (user + system) / 1e6),
    one('gauge', 'process_resident_memory_bytes', 'Resident memory in bytes.', process.memoryUsage.rss()),
    one(
      'gauge',
      'process_start_time_seconds',
      'Start of the process in Unix seconds.',
      Math.round(Date.now() / 1_000 - process.uptime()),
    ),
  ];
}
