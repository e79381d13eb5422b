// SPDX-License-Identifier: Apache-2.0
// What this checkout and this stack need: packages, the build, free ports.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

import { appManager } from '../stack/app-manager.ts';
import { takenPorts } from '../stack/port-check.ts';
import type { StackSettings } from '../stack/stack-settings.ts';
import { probeNetwork } from './network-probes.ts';
import { missing, ok, worse } from './probe.ts';
import type { ProbeResult } from './probe.ts';

/** The names in a list of packages. */
export function packageNames(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((name) => name !== '');
}

/** How many packages the list names, and which of them are not installed. */
function missingPackages(root: string, list: string): { wanted: number; lacking: string[] } {
  const wanted = packageNames(readFileSync(join(root, 'tools/bootstrap', list), 'utf8'));
  const result = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status} ${Package}\n', ...wanted], {
    encoding: 'utf8',
  });
  const installed = new Set(result.stdout.split('\n').flatMap((line) => /^installed (.*)$/.exec(line)?.[1] ?? []));
  return { wanted: wanted.length, lacking: wanted.filter((name) => !installed.has(name)) };
}

function packages(root: string): ProbeResult {
  const { wanted, lacking } = missingPackages(root, 'apt-packages.txt');
  return lacking.length === 0
    ? ok('Debian packages', `all ${wanted}`)
    : missing('Debian packages', `without ${lacking.join(' ')}`, './junction up installs them (as root)');
}

function testPackages(root: string): ProbeResult {
  const { wanted, lacking } = missingPackages(root, 'apt-packages-test.txt');
  return lacking.length === 0
    ? ok('packages for tests', `all ${wanted}`)
    : worse('packages for tests', `without ${lacking.join(' ')}`, './junction test installs them (as root)');
}

function build(root: string): ProbeResult {
  const parts = ['apps/gateway/dist/main.js', 'native/build/release/junction_run', 'functions/dist/aes'];
  const lacking = parts.filter((part) => !existsSync(join(root, part)));
  return lacking.length === 0
    ? ok('build', 'there')
    : worse('build', `without ${lacking.join(', ')}`, './junction up builds everything');
}

async function ports(settings: StackSettings): Promise<ProbeResult> {
  const count = Object.keys(settings.ports).length;
  const range = `${settings.portBase} to ${settings.portBase + count - 1}`;
  const apps = await appManager(settings).status();
  if (apps.length > 0) return ok('ports', `${range}, in use by this stack`);
  const taken = await takenPorts(settings.ports);
  return taken.length === 0
    ? ok('ports', `${range} are free`)
    : missing(
        'ports',
        `${taken.join(', ')} taken`,
        './junction up --port-base PORT, or end what holds them (ss -tlnp)',
      );
}

function disk(settings: StackSettings): ProbeResult {
  const folder = ['/var/lib/junctiond', '/var/lib', '/'].find((place) => existsSync(place)) ?? '/';
  const { bavail, bsize } = statfsSync(folder);
  const gib = (bavail * bsize) / 2 ** 30;
  const found = `${gib.toFixed(0)} GiB free for ${settings.paths.stateDir}`;
  return gib >= 2 ? ok('disk', found) : worse('disk', found, 'images and logs need room: free 2 GiB or more');
}

/** All probes of this checkout and stack. */
export async function probeStack(settings: StackSettings): Promise<ProbeResult[]> {
  return [
    packages(settings.root),
    testPackages(settings.root),
    build(settings.root),
    await ports(settings),
    ...probeNetwork(settings.network),
    disk(settings),
  ];
}
