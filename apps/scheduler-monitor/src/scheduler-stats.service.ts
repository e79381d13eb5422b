// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os';

import type { schedulerV1 } from '@junctiond/contracts';
import type { SourceMetric } from '@junctiond/telemetry';

import type { DaemonStats } from './daemon/daemon-stats.js';
import { uplinkMetrics } from './uplink-metrics.js';

/** Where stats come from: the daemon and its supervisor. */
export interface StatsSource {
  stats(): Promise<DaemonStats>;
  restarts(): number;
}

/** What is known of the scheduler right now, as API message and as metrics. */
export class SchedulerStatsService {
  readonly #source: StatsSource;

  constructor(source: StatsSource) {
    this.#source = source;
  }

  /** Never rejects: a daemon that does not answer is `running: false`. */
  async current(): Promise<schedulerV1.SchedulerStats> {
    const daemonRestarts = this.#source.restarts();
    const stats = await this.#source.stats().catch(() => undefined);
    if (stats === undefined) {
      return {
        running: false,
        daemonPid: 0,
        daemonRestarts,
        uptimeMs: 0n,
        sampledAtUnixNs: 0n,
        idleStates: undefined,
        instances: [],
        hostCores: availableParallelism(),
        uplink: undefined,
        lostEvents: 0n,
      };
    }
    return {
      running: true,
      daemonPid: stats.pid,
      daemonRestarts,
      uptimeMs: BigInt(stats.uptimeMs),
      sampledAtUnixNs: stats.sampledAtUnixNs,
      idleStates: {
        heldShallow: stats.idleStates.heldShallow,
        mechanism: stats.idleStates.mechanism,
        holds: BigInt(stats.idleStates.holds),
        heldMs: BigInt(stats.idleStates.heldMs),
        wakeups: BigInt(stats.idleStates.wakeups),
      },
      instances: stats.instances.map(
        ({ id, coreLimit, guestSyscalls, threads, active, lastActiveUnixNs, events, uplink }) => ({
          id,
          coreLimit,
          guestSyscalls,
          threads,
          active,
          lastActiveUnixNs,
          events: events ?? 0n,
          uplink: uplink === undefined ? undefined : { ...uplink, fault: uplink.fault ?? '' },
        }),
      ),
      hostCores: stats.hostCores,
      uplink: stats.uplink,
      lostEvents: stats.events?.overflows ?? 0n,
    };
  }

  /** Prometheus series of now; only what is known is there. */
  async metrics(): Promise<readonly SourceMetric[]> {
    const { running, daemonRestarts, idleStates, instances, uplink } = await this.current();
    const one = (kind: 'counter' | 'gauge', name: string, help: string, value: number): SourceMetric => ({
      kind,
      name,
      help,
      samples: [{ labels: {}, value }],
    });
    const common = [
      one('gauge', 'scheduler_running', 'Whether the scheduler daemon answers.', running ? 1 : 0),
      one('counter', 'scheduler_daemon_restarts', 'Starts of the daemon after the first one.', daemonRestarts),
    ];
    if (idleStates === undefined) {
      return common;
    }
    const { heldShallow, holds, heldMs, wakeups } = idleStates;
    return [
      ...common,
      one('gauge', 'scheduler_idle_states_held', 'Whether idle states are kept shallow now.', heldShallow ? 1 : 0),
      one('counter', 'scheduler_idle_states_holds', 'Times that idle states were taken.', Number(holds)),
      one('counter', 'scheduler_idle_states_held_seconds', 'Time that idle states were held.', Number(heldMs) / 1e3),
      one('counter', 'scheduler_wakeups', 'Wake-ups of the daemon by its doorbell.', Number(wakeups)),
      one('gauge', 'scheduler_instances', 'Instances registered.', instances.length),
      one(
        'gauge',
        'scheduler_instances_active',
        'Instances active at the last sample.',
        instances.filter(({ active }) => active).length,
      ),
      {
        kind: 'counter',
        name: 'scheduler_instance_guest_syscalls',
        help: 'Guest syscalls of each instance, as it counts them itself.',
        samples: instances.map(({ id, guestSyscalls }) => ({ labels: { instance: id }, value: Number(guestSyscalls) })),
      },
      {
        kind: 'gauge',
        name: 'scheduler_instance_core_limit',
        help: 'Cores that each instance may use at once.',
        samples: instances.map(({ id, coreLimit }) => ({ labels: { instance: id }, value: coreLimit })),
      },
      ...(uplink === undefined ? [] : uplinkMetrics(uplink, instances)),
    ];
  }
}
