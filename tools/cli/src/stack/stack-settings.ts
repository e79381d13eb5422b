// SPDX-License-Identifier: Apache-2.0
// What a command knows of its stack: names and places from the stack's name, ports from its first one.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { stackNamePattern, stackPaths, stackPorts } from '@junctiond/config';
import type { StackPaths, StackPorts } from '@junctiond/config';

import { CommandError, exitCode } from '../exit-code.ts';
import { networkSettings, networkVariables } from './network-settings.ts';
import type { NetworkSettings } from './network-settings.ts';

export interface StackSettings {
  /** The checkout. */
  readonly root: string;
  readonly paths: StackPaths;
  readonly ports: StackPorts;
  readonly portBase: number;
  /** An outside Redis; undefined: the stack runs its own. */
  readonly redisUrl: string | undefined;
  readonly network: NetworkSettings;
  /** The JUNCTION_* variables for the apps. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Options that every command about a stack has. */
export interface StackOptions {
  readonly stack?: string;
  readonly portBase?: number;
}

interface Remembered {
  readonly portBase: number;
  /** The variables about the network that were set when the stack came up: another command must find what it made. */
  readonly network?: Readonly<Record<string, string>>;
}

function rememberedFile(runDir: string): string {
  return join(runDir, 'stack.json');
}

function recall(runDir: string): Remembered | undefined {
  try {
    return JSON.parse(readFileSync(rememberedFile(runDir), 'utf8')) as Remembered;
  } catch {
    return undefined; // not up
  }
}

function portBaseOf(options: StackOptions, environment: NodeJS.ProcessEnv, remembered: Remembered | undefined): number {
  const text = environment['JUNCTION_PORT_BASE'];
  const base = options.portBase ?? (text === undefined ? (remembered?.portBase ?? 8080) : Number(text));
  if (!Number.isInteger(base) || base < 1 || base > 65_531) {
    throw new CommandError(`the port base must be 1 to 65531, not ${text ?? base}`, exitCode.usage);
  }
  return base;
}

/** The settings of the stack that the options, else the environment, name; the default stack is `junction`. */
export function loadStackSettings(options: StackOptions, environment: NodeJS.ProcessEnv): StackSettings {
  const root = environment['JUNCTION_ROOT'] ?? process.cwd();
  const stack = options.stack ?? environment['JUNCTION_STACK'] ?? 'junction';
  if (!stackNamePattern.test(stack)) {
    throw new CommandError(`a stack is named by a letter and up to 15 of a-z 0-9 -, not ${stack}`, exitCode.usage);
  }
  const runDir = environment['JUNCTION_RUN_DIR'];
  const stateDir = environment['JUNCTION_STATE_DIR'];
  const paths = stackPaths(stack, {
    ...(runDir === undefined ? {} : { runDir }),
    ...(stateDir === undefined ? {} : { stateDir }),
  });
  const remembered = recall(paths.runDir);
  const portBase = portBaseOf(options, environment, remembered);
  const own = Object.entries({ ...remembered?.network, ...environment }).filter(
    (entry): entry is [string, string] => entry[0].startsWith('JUNCTION_') && entry[1] !== undefined,
  );
  const appEnvironment = {
    ...Object.fromEntries(own),
    JUNCTION_ROOT: root,
    JUNCTION_STACK: stack,
    JUNCTION_PORT_BASE: String(portBase),
  };
  return {
    root,
    paths,
    ports: stackPorts(portBase),
    portBase,
    redisUrl: environment['JUNCTION_REDIS_URL'],
    network: networkSettings(appEnvironment),
    environment: appEnvironment,
  };
}

/** statfs(2). */
const tmpfsMagic = 0x01021994;

/** Sockets and shared memory belong on a tmpfs; where /run is none, the run folder becomes one (`down` unmounts it). */
function makeRunFolder(runDir: string): void {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  if (statfsSync(runDir).type === tmpfsMagic) return;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0755,nodev,nosuid,noexec', 'junctiond', runDir]);
}

/** Makes the stack's folders, and lets later commands find its ports. */
export function rememberStack(settings: StackSettings): void {
  const { paths, portBase } = settings;
  makeRunFolder(paths.runDir);
  mkdirSync(paths.stateDir, { recursive: true, mode: 0o700 });
  mkdirSync(paths.logsDir, { recursive: true, mode: 0o700 });
  const network = Object.fromEntries(
    Object.entries(settings.environment).filter(([name, value]) => networkVariables.includes(name) && value !== ''),
  );
  const remembered: Remembered = { portBase, network };
  writeFileSync(rememberedFile(paths.runDir), `${JSON.stringify(remembered)}\n`);
}
