// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

import { probeNetwork } from '../doctor/network-probes.ts';
import { CommandError } from '../exit-code.ts';
import { waitUntil } from '../process/wait-until.ts';
import { aesFunction, deployAes, invokeAes, waitForAes } from '../stack/aes-check.ts';
import type { AesResult } from '../stack/aes-check.ts';
import { appManager } from '../stack/app-manager.ts';
import type { AppManager } from '../stack/app-manager.ts';
import { installBootScript } from '../stack/boot-script.ts';
import { ensureCredentials } from '../stack/credentials.ts';
import { GatewayClient, gatewayUrl } from '../stack/gateway-client.ts';
import { isHealthy } from '../stack/health.ts';
import { takenPorts } from '../stack/port-check.ts';
import { healthPort, nodeApps, stackApps } from '../stack/stack-apps.ts';
import type { NodeApp } from '../stack/stack-apps.ts';
import { rememberStack } from '../stack/stack-settings.ts';
import type { StackSettings } from '../stack/stack-settings.ts';
import { step, tell } from '../terminal/progress.ts';
import { buildStack } from './build.ts';

export interface UpOptions {
  readonly build: boolean;
  readonly example: boolean;
  readonly atBoot?: boolean;
  readonly json?: boolean;
}

const healthTimeoutMs = 60_000;

/** The end of an app's log: what it had to say for itself. */
function lastLines(settings: StackSettings, app: string, count = 15): string {
  try {
    const lines = readFileSync(`${settings.paths.logsDir}/${app}.log`, 'utf8').trimEnd().split('\n');
    return lines.slice(-count).join('\n');
  } catch {
    return '(no log)';
  }
}

async function waitForApp(app: NodeApp, settings: StackSettings, manager: AppManager): Promise<void> {
  let restartsSeen = 0;
  const health = await waitUntil(
    healthTimeoutMs,
    async () => {
      if (await isHealthy(healthPort(app, settings))) return 'healthy';
      const status = (await manager.status()).find((other) => other.name === app);
      restartsSeen = status?.restarts ?? 0;
      return status?.state === 'failed' ? 'failed' : undefined;
    },
    100,
  );
  if (health === 'healthy') return;
  const why = health === 'failed' ? 'refused its configuration' : `is not healthy after ${healthTimeoutMs / 1000} s`;
  const logs = lastLines(settings, app);
  throw new CommandError(`${app} ${why} (${restartsSeen} restarts); the end of its log:\n${logs}`);
}

/** Says at once what the apps would only say one after the other in their logs. */
async function checkPorts(settings: StackSettings, manager: AppManager): Promise<void> {
  if ((await manager.status()).some((app) => app.pid !== 0)) return; // they are our own
  const taken = await takenPorts(settings.ports);
  if (taken.length === 0) return;
  throw new CommandError(
    `port ${taken.join(', ')} of 127.0.0.1 is taken: end what listens there (ss -tlnp shows it), or ` +
      `choose others with --port-base PORT (the stack takes five)`,
  );
}

/** The stack works without an uplink, but its functions reach nothing outside: said now, not only in a log. */
function checkNetwork({ network }: StackSettings): void {
  if (network.kind !== 'nic') return;
  for (const { name, found, fix } of probeNetwork(network).filter(({ state }) => state !== 'ok')) {
    tell(`${name}: ${found}; ${fix}`);
  }
}

function report(settings: StackSettings, aes: AesResult | undefined, isJson: boolean): void {
  const { paths, ports } = settings;
  const url = gatewayUrl(settings);
  const facts = {
    stack: paths.stack,
    gatewayUrl: url,
    metricsUrl: `http://127.0.0.1:${ports.gatewayMetrics}/metrics`,
    userFile: paths.basicAuthUserFile,
    passwordFile: paths.basicAuthPasswordFile,
    logsDir: paths.logsDir,
    aes: aes ?? null,
  };
  if (isJson) {
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  const lines = [
    `stack ${paths.stack} is up`,
    `  gateway      ${url}  (functions: ${url}/function/NAME)`,
    `  metrics      ${facts.metricsUrl}`,
    `  credentials  ${facts.userFile}`,
    `               ${facts.passwordFile}`,
    `  logs         ${facts.logsDir}, or ./junction logs`,
  ];
  if (aes !== undefined) {
    lines.push(
      `  AES          ${aes.invocations} sequential invocations of 600 bytes, each answer checked: ` +
        `p50 ${aes.p50Us.toFixed(0)} us, p99 ${aes.p99Us.toFixed(0)} us`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Builds, starts what does not run, proves that it works, and says where everything is. */
export async function up(options: UpOptions, settings: StackSettings, environment: NodeJS.ProcessEnv): Promise<void> {
  if (process.getuid?.() !== 0) throw new CommandError('a stack needs root: namespaces, cgroups and host uids');
  const manager = appManager(settings);
  const abandoned = await manager.endAbandoned();
  if (abandoned > 0) tell(`the supervisor was killed: ended the ${abandoned} programs that it left, they start anew`);
  await checkPorts(settings, manager);
  checkNetwork(settings);
  if (options.build) await buildStack(settings.root);
  rememberStack(settings);
  ensureCredentials(settings.paths);
  await step(`starting the stack (${manager.kind})`, async () => {
    await manager.apply(stackApps(settings, environment));
    await Promise.all(nodeApps.map((app) => waitForApp(app, settings, manager)));
  });
  if (options.atBoot === true && manager.kind === 'supervisor') installBootScript(settings);
  let aes: AesResult | undefined;
  if (options.example) {
    const gateway = new GatewayClient(settings);
    try {
      const outcome = await step('deploying the AES function', async () => {
        const deployed = await deployAes(gateway, settings.root);
        if (deployed !== 'not ours') await waitForAes(gateway, 60_000);
        return deployed;
      });
      if (outcome === 'not ours') tell(`function ${aesFunction} is one that you deployed: left as it is, not invoked`);
      else aes = await step('invoking it', () => invokeAes(gatewayUrl(settings), settings.root));
    } finally {
      gateway.close();
    }
  }
  report(settings, aes, options.json === true);
  if (manager.kind === 'supervisor') tell('stop it with ./junction down');
}
