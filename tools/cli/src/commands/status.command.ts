// SPDX-License-Identifier: Apache-2.0
import { exitCode } from '../exit-code.ts';
import { ageSeconds, identify, residentBytes } from '../process/process-identity.ts';
import { appManager } from '../stack/app-manager.ts';
import { GatewayClient, gatewayUrl } from '../stack/gateway-client.ts';
import type { FunctionStatus } from '../stack/gateway-client.ts';
import { isHealthy } from '../stack/health.ts';
import { runningInstances, schedulerDaemon } from '../stack/instances.ts';
import { healthPort, nodeApps } from '../stack/stack-apps.ts';
import type { StackSettings } from '../stack/stack-settings.ts';
import { uplinkState } from '../stack/uplink.ts';
import type { UplinkState } from '../stack/uplink.ts';
import { counted } from '../terminal/counted.ts';
import type { AppState } from '../supervisor/app-spec.ts';
import { askSupervisor } from '../supervisor/supervisor-client.ts';

interface ProcessStatus {
  readonly name: string;
  readonly state: AppState;
  readonly pid: number;
  readonly restarts: number;
  readonly lastExit: string;
  readonly ageSeconds: number;
  /** RFC 3339; null if it does not run. */
  readonly startedAt: string | null;
  readonly rssBytes: number;
  /** Answer of /healthz; null for what has none. */
  readonly healthy: boolean | null;
}

interface StackStatus {
  readonly stack: string;
  readonly isUp: boolean;
  readonly gatewayUrl: string;
  readonly userFile: string;
  readonly passwordFile: string;
  readonly processes: readonly ProcessStatus[];
  readonly instances: readonly { id: string; pid: number; rssBytes: number; ip: string }[];
  /** nic: instances have NICs. */
  readonly network: 'host' | 'nic';
  /** Null where it is not there. */
  readonly uplink: UplinkState | null;
  /** Undefined when the gateway does not answer. */
  readonly functions: readonly FunctionStatus[] | undefined;
}

/** A row about a process that is not supervised as an app. */
function helperRow(name: string, pid: number): ProcessStatus {
  return { name, state: 'running', pid, restarts: 0, lastExit: '', ...vitals(pid), healthy: null };
}

function vitals(pid: number): Pick<ProcessStatus, 'ageSeconds' | 'startedAt' | 'rssBytes'> {
  const identity = pid === 0 ? undefined : identify(pid);
  const seconds = identity === undefined ? undefined : ageSeconds(identity);
  return {
    ageSeconds: seconds ?? 0,
    startedAt: seconds === undefined ? null : new Date(Date.now() - seconds * 1000).toISOString(),
    rssBytes: residentBytes(pid),
  };
}

async function processes(settings: StackSettings): Promise<ProcessStatus[]> {
  const manager = appManager(settings);
  const apps = await manager.status();
  const rows = await Promise.all(
    apps.map(async (app): Promise<ProcessStatus> => {
      const nodeApp = nodeApps.find((name) => name === app.name);
      const isRunning = app.state === 'running';
      return {
        name: app.name,
        state: app.state,
        pid: app.pid,
        restarts: app.restarts,
        lastExit: app.lastExit,
        ...vitals(app.pid),
        healthy: nodeApp === undefined ? null : isRunning && (await isHealthy(healthPort(nodeApp, settings))),
      };
    }),
  );
  const daemon = schedulerDaemon(settings.paths);
  const supervisor =
    manager.kind === 'supervisor' ? await askSupervisor(settings.paths.runDir, { op: 'status' }) : undefined;
  return [
    ...rows,
    ...(daemon === undefined ? [] : [helperRow('scheduler', daemon.pid)]),
    ...(supervisor === undefined ? [] : [helperRow('supervisor', supervisor.pid)]),
  ];
}

async function functions(settings: StackSettings): Promise<FunctionStatus[] | undefined> {
  const gateway = new GatewayClient(settings);
  try {
    return await gateway.list();
  } catch {
    return undefined; // the gateway is down or has no provider: its row says so
  } finally {
    gateway.close();
  }
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7_200) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(0)} h`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

/** Plainly, for someone who sees it for the first time. */
function headline({ isUp, gatewayUrl: url, processes: rows, instances }: StackStatus): string {
  if (isUp) return `up, ${url}`;
  if (rows.some(({ state }) => state === 'running')) return 'not wholly up';
  if (instances.length > 0) return `no app runs, but ${counted(instances.length, 'instance')}; ./junction up or down`;
  return 'nothing runs; ./junction up starts it';
}

function uplinkLine({ device, isUp, addresses, receivedBytes, sentBytes }: UplinkState): string {
  const state = isUp ? 'up' : 'DOWN (nobody holds it; scheduler-monitor starts the daemon that does)';
  return `uplink ${device} ${state}, ${addresses.join(', ')}, in ${mb(receivedBytes)}, out ${mb(sentBytes)}`;
}

function render(status: StackStatus): string {
  const parts = [`stack ${status.stack}: ${headline(status)}`];
  if (status.processes.length > 0) {
    parts.push(
      table([
        ['process', 'state', 'health', 'pid', 'age', 'restarts', 'memory', 'last exit'],
        ...status.processes.map((row) => [
          row.name,
          row.state,
          row.healthy === null ? '-' : row.healthy ? 'ok' : 'BAD',
          row.pid === 0 ? '-' : String(row.pid),
          age(row.ageSeconds),
          String(row.restarts),
          mb(row.rssBytes),
          row.lastExit,
        ]),
      ]),
    );
  }
  if (status.uplink !== null) parts.push(`  ${uplinkLine(status.uplink)}`);
  else if (status.network === 'nic' && status.isUp) parts.push('  no uplink: ./junction doctor may say why');
  if (status.functions !== undefined) {
    parts.push(
      table([
        ['function', 'replicas', 'ready', 'invocations', 'image'],
        ...status.functions.map((row) => [
          row.namespace === undefined ? row.name : `${row.name}.${row.namespace}`,
          String(row.replicas ?? 0),
          String(row.availableReplicas ?? 0),
          String(row.invocationCount ?? 0),
          row.image,
        ]),
      ]),
    );
  }
  if (status.instances.length > 0) {
    const rows = status.instances.map((row) => [row.id, String(row.pid), mb(row.rssBytes), row.ip || '-']);
    parts.push(table([['instance', 'pid', 'memory', 'address'], ...rows]));
  }
  return parts.join('\n');
}

/** Shows what runs; answers the exit code: 0 if every app runs and is healthy, else 3. */
export async function status(options: { readonly json?: boolean }, settings: StackSettings): Promise<number> {
  const rows = await processes(settings);
  const isUp = nodeApps.every((app) => rows.some((row) => row.name === app && row.healthy === true));
  const answer: StackStatus = {
    stack: settings.paths.stack,
    isUp,
    gatewayUrl: gatewayUrl(settings),
    userFile: settings.paths.basicAuthUserFile,
    passwordFile: settings.paths.basicAuthPasswordFile,
    processes: rows,
    instances: runningInstances(settings.paths).map(({ id, pid, rssBytes, ip }) => ({ id, pid, rssBytes, ip })),
    network: settings.network.kind,
    uplink: uplinkState(settings.network) ?? null,
    functions: rows.some((row) => row.name === 'gateway' && row.state === 'running')
      ? await functions(settings)
      : undefined,
  };
  process.stdout.write(`${options.json === true ? JSON.stringify(answer) : render(answer)}\n`);
  return isUp ? exitCode.ok : exitCode.no;
}
