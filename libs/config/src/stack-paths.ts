// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';

/** All names and places of one stack, absolute paths. Everything derives from the stack's name. */
export interface StackPaths {
  readonly stack: string;
  /** On tmpfs: sockets, pid files, control blocks. */
  readonly runDir: string;
  /** On disk: what outlives a reboot. */
  readonly stateDir: string;
  readonly imagesDir: string;
  readonly instancesDir: string;
  readonly secretsDir: string;
  /** One folder an instance, mounted into it read-only; on tmpfs, so that secrets are not on disk twice. */
  readonly secretsOfDir: string;
  readonly redisDir: string;
  readonly logsDir: string;
  readonly authDir: string;
  readonly basicAuthUserFile: string;
  readonly basicAuthPasswordFile: string;
  readonly junctiondSocket: string;
  readonly junctiondEventsSocket: string;
  readonly providerSocket: string;
  readonly schedulerMonitorSocket: string;
  readonly schedulerSocket: string;
  readonly schedulerDoorbell: string;
  /** The node's queue of "frames for instance i"; made by the scheduler daemon. */
  readonly nicEvents: string;
  readonly redisSocket: string;
  readonly gatewayApiSocket: string;
  /** Relative to a cgroup controller's root. */
  readonly cgroup: string;
}

/** What a stack's name looks like. */
export const stackNamePattern = /^[a-z][a-z0-9-]{0,15}$/;

/** All places of the stack `stack`; `runDir` and `stateDir` may be moved as a whole. */
export function stackPaths(stack: string, moved: { runDir?: string; stateDir?: string } = {}): StackPaths {
  const runDir = moved.runDir ?? `/run/junctiond/${stack}`;
  const stateDir = moved.stateDir ?? `/var/lib/junctiond/${stack}`;
  const authDir = join(stateDir, 'auth');
  return {
    stack,
    runDir,
    stateDir,
    imagesDir: join(stateDir, 'images'),
    instancesDir: join(stateDir, 'instances'),
    secretsDir: join(stateDir, 'secrets'),
    secretsOfDir: join(runDir, 'secrets-of'),
    redisDir: join(stateDir, 'redis'),
    logsDir: join(stateDir, 'logs'),
    authDir,
    basicAuthUserFile: join(authDir, 'basic-auth-user'),
    basicAuthPasswordFile: join(authDir, 'basic-auth-password'),
    junctiondSocket: join(runDir, 'junctiond.sock'),
    junctiondEventsSocket: join(runDir, 'junctiond-events.sock'),
    providerSocket: join(runDir, 'provider.sock'),
    schedulerMonitorSocket: join(runDir, 'scheduler-monitor.sock'),
    schedulerSocket: join(runDir, 'scheduler.sock'),
    schedulerDoorbell: join(runDir, 'scheduler-doorbell'),
    nicEvents: join(runDir, 'nic-events'),
    redisSocket: join(runDir, 'redis.sock'),
    gatewayApiSocket: join(runDir, 'gateway-api.sock'),
    cgroup: `junctiond-${stack}`,
  };
}
