// SPDX-License-Identifier: Apache-2.0
import type { schedulerV1 } from '@junctiond/contracts';
import type { SourceMetric } from '@junctiond/telemetry';

type Sample = Extract<SourceMetric, { kind: 'counter' | 'gauge' }>['samples'][number];

/** The uplink as Prometheus series. What only the host sent amiss has no instance. */
export function uplinkMetrics(
  uplink: schedulerV1.UplinkStats,
  instances: readonly schedulerV1.InstanceStats[],
): readonly SourceMetric[] {
  const attached = instances.flatMap(({ id, uplink: port }) => (port === undefined ? [] : [{ id, port }]));
  const bothWays = (out: (port: schedulerV1.InstanceUplinkStats) => bigint, into: typeof out): Sample[] =>
    attached.flatMap(({ id, port }) => [
      { labels: { instance: id, direction: 'out' }, value: Number(out(port)) },
      { labels: { instance: id, direction: 'in' }, value: Number(into(port)) },
    ]);
  const drops = (instance: string, byReason: Readonly<Record<string, bigint>>): Sample[] =>
    Object.entries(byReason).map(([reason, count]) => ({ labels: { instance, reason }, value: Number(count) }));
  return [
    {
      kind: 'gauge',
      name: 'scheduler_uplink_up',
      help: 'Whether instances are connected with the host and the outside.',
      samples: [{ labels: { device: uplink.device }, value: uplink.up ? 1 : 0 }],
    },
    {
      kind: 'gauge',
      name: 'scheduler_uplink_attached',
      help: 'Instances that are attached to the uplink.',
      samples: [{ labels: {}, value: attached.filter(({ port }) => port.attached).length }],
    },
    {
      kind: 'counter',
      name: 'scheduler_uplink_frames',
      help: 'Frames that the uplink passed on, from (out) and to (in) each instance.',
      samples: bothWays(
        ({ framesOut }) => framesOut,
        ({ framesIn }) => framesIn,
      ),
    },
    {
      kind: 'counter',
      name: 'scheduler_uplink_bytes',
      help: 'Bytes that the uplink passed on, from (out) and to (in) each instance.',
      samples: bothWays(
        ({ bytesOut }) => bytesOut,
        ({ bytesIn }) => bytesIn,
      ),
    },
    {
      kind: 'counter',
      name: 'scheduler_uplink_drops',
      help: 'Frames that the uplink dropped, by reason; without an instance: of the host, for nobody.',
      samples: [...drops('', uplink.drops), ...attached.flatMap(({ id, port }) => drops(id, port.drops))],
    },
  ];
}
