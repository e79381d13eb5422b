// SPDX-License-Identifier: Apache-2.0
// How benches start instances: the real junction_run with its sandbox, without junctiond.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface InstanceCommand {
  readonly command: string[];
  /** Made by junction_run; whoever starts it removes the file. */
  readonly controlFile: string;
}

export interface InstanceOptions {
  /** A root of its own; without it the guest sees the host's, read-only. */
  readonly chrootPath?: string;
  /** As junctiond starts them, not each with namespaces of its own. */
  readonly namespaces?: NodeNamespaces;
  /** Patch plans of what the guest executes. */
  readonly planFolder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where log and status go; a clone's template needs one. */
  readonly instanceFolder?: string;
  /** Gets a line of JSON an event (native/src/run/README.md). */
  readonly notifySocket?: string;
  /** It has a NIC with so many links besides the uplink; needs an instance folder. Without: inet sockets are the host's. */
  readonly links?: number;
}

// Host ids far above those of a stack (junctiond begins at 2^28); each instance has 65,536.
const firstUidBase = 0x70000000;
const uidRange = 65536;
const uidRanges = 1024;
let instances = 0;
/** Of every instance of a bench: on the host nothing routes there, links are point to point. */
export const instanceAddress = '192.168.127.2';
/** The network of the instance's uplink, in a bench that has one. */
export const uplinkRange = '192.168.127.0/24';

/** A root file system with nothing but the function at /aes. */
export async function prepareFunctionImage(folder: string, binary: string): Promise<string> {
  const rootfs = join(folder, 'rootfs');
  await rm(rootfs, { recursive: true, force: true });
  await mkdir(rootfs, { recursive: true });
  await copyFile(binary, join(rootfs, 'aes'));
  return rootfs;
}

/** Files that keep what junctiond makes once for all instances of a node: empty namespaces. */
export interface NodeNamespaces {
  readonly mount: string;
  readonly network: string;
}

/** Makes them in `folder`; dropNamespaces removes them again. */
export async function makeNamespaces(root: string, folder: string): Promise<NodeNamespaces> {
  const namespaces = { mount: join(folder, 'mntns'), network: join(folder, 'netns') };
  await run(runner(root), ['--make_mntns', namespaces.mount]);
  await writeFile(namespaces.network, '');
  await run('unshare', [`--net=${namespaces.network}`, 'true']);
  return namespaces;
}

export async function dropNamespaces(namespaces: NodeNamespaces): Promise<void> {
  await run('umount', ['--lazy', namespaces.mount, namespaces.network]);
}

/** A configuration file for instances that have so many cores. */
export async function writeInstanceConfig(folder: string, cores: number): Promise<string> {
  const file = join(folder, `config-${cores.toString()}`);
  const lines = [
    `host_addr ${instanceAddress}`,
    'host_netmask 255.255.255.0',
    'host_gateway 192.168.127.1',
    `runtime_kthreads ${cores.toString()}`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

/** The command line of one more instance; each has host ids and a control file of its own. */
export function instanceCommand(
  root: string,
  config: string,
  options: InstanceOptions,
  program: readonly string[],
): InstanceCommand {
  const { number, controlFile } = nextInstance();
  const uidBase = firstUidBase + (number % uidRanges) * uidRange;
  return {
    controlFile,
    command: [
      runner(root),
      config,
      ...(options.chrootPath === undefined ? [] : ['--chroot_path', options.chrootPath]),
      ...(options.namespaces === undefined ? [] : ['--mntns', options.namespaces.mount]),
      ...(options.planFolder === undefined ? [] : ['--plan_dir', options.planFolder]),
      ...(options.instanceFolder === undefined ? [] : ['--instance_dir', options.instanceFolder]),
      ...(options.notifySocket === undefined ? [] : ['--notify', options.notifySocket]),
      ...(options.links === undefined ? [] : ['--links', options.links.toString()]),
      ...(options.links === undefined || options.namespaces === undefined
        ? []
        : ['--netns', options.namespaces.network]),
      ...Object.entries(options.environment ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      '--control',
      controlFile,
      '--uid_base',
      uidBase.toString(),
      '--',
      ...program,
    ],
  };
}

export type CloneOptions = Pick<InstanceOptions, 'instanceFolder' | 'links'>;

/** The command line of a warm clone of the idle instance with this folder. */
export function cloneCommand(
  root: string,
  config: string,
  templateFolder: string,
  options: CloneOptions = {},
): InstanceCommand {
  const { controlFile } = nextInstance();
  return {
    controlFile,
    command: [
      runner(root),
      config,
      '--clone_of',
      templateFolder,
      ...(options.instanceFolder === undefined ? [] : ['--instance_dir', options.instanceFolder]),
      ...(options.links === undefined ? [] : ['--links', options.links.toString()]),
      '--control',
      controlFile,
    ],
  };
}

function runner(root: string): string {
  return join(root, 'native/build/release/junction_run');
}

function nextInstance(): { number: number; controlFile: string } {
  const number = instances++;
  return { number, controlFile: `/dev/shm/junction-bench-${process.pid.toString()}-${number.toString()}.control` };
}
