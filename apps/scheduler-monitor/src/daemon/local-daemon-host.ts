// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { StackPaths } from '@junctiond/config';
import { ProcessHandle, useAddon } from '@junctiond/native-binding';
import { backoffMs } from '@junctiond/rpc';
import type { Logger } from '@junctiond/telemetry';

import { defaultSchedulerBinary, type SchedulerMonitorConfig } from '../config.js';
import type { DaemonClient } from './daemon-client.js';
import type { DaemonHost, DaemonProcess } from './daemon-supervisor.js';

const SIGTERM = 15;
const RESTART_BOUNDS = { firstMs: 50, longestMs: 5_000 };

/** The daemon's words for its uplink; none without NICs. */
export function uplinkArguments(config: SchedulerMonitorConfig): string[] {
  if (config.network !== 'nic') return [];
  return [
    ...['--uplink_device', config.uplinkDevice],
    ...['--uplink_range', config.instanceNetwork],
    ...['--uplink_range6', config.instanceNetwork6],
    ...['--uplink_mtu', config.instanceMtu.toString()],
    ...['--gateway_port', (config.functionsReachGateway ? config.gatewayPort : 0).toString()],
  ];
}

function toDaemonProcess(handle: ProcessHandle): DaemonProcess {
  return {
    pid: handle.pid,
    wait: async () => {
      const { exitCode, signal } = await handle.wait();
      if (signal !== undefined) return `signal ${signal}`;
      return exitCode === undefined ? 'ended' : `exit code ${exitCode}`;
    },
    terminate: () => void handle.signal(SIGTERM),
    close: () => {
      handle.close();
    },
  };
}

/** The daemon on this machine, of this stack. */
export function localDaemonHost(
  config: SchedulerMonitorConfig,
  paths: StackPaths,
  client: DaemonClient,
  log: Logger,
): DaemonHost {
  if (config.addon !== undefined) {
    useAddon(config.addon);
  }
  const logFile = join(paths.logsDir, 'scheduler.log');
  return {
    stats: () => client.stats(),
    spawn: () => {
      mkdirSync(paths.logsDir, { recursive: true, mode: 0o700 });
      return toDaemonProcess(
        ProcessHandle.spawnDetached({
          file: config.schedulerBinary ?? defaultSchedulerBinary(),
          args: [
            ...['--run_dir', paths.runDir],
            ...['--idle_states', config.idleStates],
            ...['--let_go_after_ms', config.letGoAfterMs.toString()],
            ...uplinkArguments(config),
          ],
          env: {},
          stdoutFile: logFile,
          stderrFile: logFile,
        }),
      );
    },
    adopt: (pid) => {
      const handle = ProcessHandle.open(pid);
      return handle === undefined ? undefined : toDaemonProcess(handle);
    },
    restartDelayMs: (attempt) => backoffMs(attempt, RESTART_BOUNDS, Math.random),
    sleep: async (ms, signal) => {
      await delay(ms, undefined, { signal }).catch(() => undefined);
    },
    now: () => performance.now(),
    log: (level, message, details) => {
      log[level](details ?? {}, message);
    },
  };
}
