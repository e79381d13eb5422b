// SPDX-License-Identifier: Apache-2.0
// The programs of a stack, in the order in which they are started; they are stopped in the opposite one.
import { join } from 'node:path';

import type { AppSpec } from '../supervisor/app-spec.ts';
import { buildDigest } from './build-digest.ts';
import { writeRedisConfig } from './redis-config.ts';
import type { StackSettings } from './stack-settings.ts';

export const nodeApps = ['scheduler-monitor', 'junctiond', 'provider', 'gateway'] as const;
export type NodeApp = (typeof nodeApps)[number];

/** What in the build each app consists of, besides the libs: a change restarts it. */
const nativeParts: Record<NodeApp, readonly string[]> = {
  'scheduler-monitor': ['junction_scheduler', 'junction_addon.node'],
  junctiond: ['junction_addon.node'],
  provider: [],
  gateway: ['junction_addon.node'],
};

/** Young generation and code kept small: the apps hold little, and a stack is four of them. */
const nodeOptions = ['--enable-source-maps', '--max-semi-space-size=1', '--optimize-for-size'];

const inherited = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/** The port on which an app answers /healthz. */
export function healthPort(app: NodeApp, settings: StackSettings): number {
  const { ports } = settings;
  return {
    'scheduler-monitor': ports.schedulerMonitorMetrics,
    junctiond: ports.junctiondMetrics,
    provider: ports.providerMetrics,
    gateway: ports.gatewayMetrics,
  }[app];
}

function environmentOf(settings: StackSettings, environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = inherited.flatMap((name) => {
    const value = environment[name] ?? environment[name.toLowerCase()];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), NODE_ENV: 'production', ...settings.environment };
}

/** Writes the configuration of what is not ours (Redis) and answers all programs of the stack. */
export function stackApps(settings: StackSettings, environment: NodeJS.ProcessEnv): AppSpec[] {
  const { root, paths } = settings;
  const env = environmentOf(settings, environment);
  const node = (app: NodeApp): AppSpec => ({
    name: app,
    command: join(root, '.tools/node/bin/node'),
    args: [...nodeOptions, join(root, 'apps', app, 'dist/main.js')],
    env,
    cwd: root,
    logFile: join(paths.logsDir, `${app}.log`),
    stopTimeoutMs: 15_000,
    build: buildDigest(root, [
      `apps/${app}/dist`,
      ...['config', 'contracts', 'telemetry', 'rpc', 'function-state', 'instance-model', 'native-binding'].map(
        (lib) => `libs/${lib}/dist`,
      ),
      ...nativeParts[app].map((part) => `native/build/release/${part}`),
    ]),
  });
  const redis: AppSpec = {
    name: 'redis',
    command: 'redis-server',
    args: [writeRedisConfig(paths)],
    env,
    cwd: paths.redisDir,
    logFile: join(paths.logsDir, 'redis.log'),
    stopTimeoutMs: 15_000,
    build: '',
  };
  return [...(settings.redisUrl === undefined ? [redis] : []), ...nodeApps.map(node)];
}
