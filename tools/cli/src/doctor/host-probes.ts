// SPDX-License-Identifier: Apache-2.0
// What the host kernel and processor offer. Each probe tries the thing itself where that is harmless.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { availableParallelism, endianness, release, totalmem } from 'node:os';

import { missing, ok, worse } from './probe.ts';
import type { ProbeResult } from './probe.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Calls a system call through perl, which every Debian has; true if it answers 0 or more. */
function syscallWorks(...args: number[]): boolean {
  const result = spawnSync('perl', ['-e', `exit(syscall(${args.join(',')}) < 0 ? 1 : 0)`], { stdio: 'ignore' });
  return result.status === 0;
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/** A word of the auxiliary vector of this process: getauxval(3). */
export function auxiliaryValue(auxv: Buffer, type: bigint): bigint | undefined {
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === type) return auxv.readBigUInt64LE(at + 8);
  }
  return undefined;
}

/** `6.1.0-27-amd64` is at least 6.1. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map((part) => parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}

function architecture(): ProbeResult {
  const isX64 = process.arch === 'x64' && endianness() === 'LE';
  return isX64
    ? ok('processor', `x86-64, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`)
    : missing('processor', process.arch, 'the data plane rewrites x86-64 code: use such a machine');
}

function hostKernel(): ProbeResult {
  return isAtLeast(release(), 6, 1)
    ? ok('host kernel', release())
    : missing('host kernel', release(), 'Linux 6.1 or newer is needed (that of Debian 12)');
}

function userDispatch(): ProbeResult {
  const PR_SET_SYSCALL_USER_DISPATCH = 59;
  const SYS_prctl = 157;
  return syscallWorks(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0)
    ? ok('syscall user dispatch', 'prctl works')
    : missing('syscall user dispatch', 'prctl refuses', 'a kernel with CONFIG_GENERIC_ENTRY (x86-64, 5.11 and newer)');
}

function seccomp(): ProbeResult {
  const actions = read('/proc/sys/kernel/seccomp/actions_avail').trim();
  return actions.includes('trap') && actions.includes('errno')
    ? ok('seccomp filters', actions)
    : missing('seccomp filters', actions || 'none', 'a kernel with CONFIG_SECCOMP_FILTER');
}

function fsgsbase(): ProbeResult {
  const AT_HWCAP2 = 26n;
  const HWCAP2_FSGSBASE = 2n;
  const value = auxiliaryValue(readFileSync('/proc/self/auxv'), AT_HWCAP2) ?? 0n;
  return (value & HWCAP2_FSGSBASE) !== 0n
    ? ok('FSGSBASE', 'usable by programs')
    : missing(
        'FSGSBASE',
        'not usable by programs',
        'processor of 2012 or newer; no nofsgsbase on the kernel command line',
      );
}

function namespaces(): ProbeResult {
  return succeeds('unshare', '--user', '--map-root-user', '--mount', '--pid', '--ipc', '--uts', '--fork', 'true')
    ? ok('namespaces', 'user, mount, pid, ipc, uts')
    : missing(
        'namespaces',
        'unshare is refused',
        'sysctl user.max_user_namespaces > 0; in a container: privileges to unshare',
      );
}

function overlay(): ProbeResult {
  const script =
    'set -e; mount -t tmpfs none /mnt; mkdir /mnt/l /mnt/u /mnt/w /mnt/m; ' +
    'mount -t overlay none -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m';
  return succeeds('unshare', '--mount', 'sh', '-c', script)
    ? ok('overlay file system', 'mounts')
    : missing('overlay file system', 'cannot be mounted', 'modprobe overlay');
}

function idmappedMounts(): ProbeResult {
  // mount_setattr(2) with a bad descriptor fails with EBADF where it exists; perl cannot tell, so the version decides.
  return isAtLeast(release(), 5, 19)
    ? ok('idmapped mounts', 'below overlay as well (5.19)')
    : worse('idmapped mounts', release(), 'Linux 5.19: without them each image is copied once per uid range');
}

function cgroups(): ProbeResult {
  const mounts = read('/proc/self/mountinfo').split('\n');
  const v1 = ['memory', 'pids', 'cpu'].filter((name) =>
    mounts.some((line) => line.includes(' - cgroup ') && new RegExp(`[ ,]${name}(,|$)`).test(line)),
  );
  const v2Root = mounts.find((line) => line.includes(' - cgroup2 '))?.split(' ')[4];
  const v2 = v2Root === undefined ? '' : read(`${v2Root}/cgroup.controllers`).trim();
  const has = (name: string): boolean => v1.includes(name) || v2.split(' ').includes(name);
  const found = `v1: ${v1.join(' ') || 'none'}; v2: ${v2Root === undefined ? 'not mounted' : v2 || 'no controllers'}`;
  const lacking = ['memory', 'pids', 'cpu'].filter((name) => !has(name));
  if (lacking.length === 0) return ok('cgroups', found);
  return worse(
    'cgroups',
    found,
    `limits of ${lacking.join(', ')} cannot be set: mount these controllers (v1) or enable them (v2)`,
  );
}

function idleStates(): ProbeResult {
  const latency = existsSync('/dev/cpu_dma_latency');
  const haltpoll = existsSync('/sys/module/haltpoll/parameters/guest_halt_poll_ns');
  const found = [latency ? '/dev/cpu_dma_latency' : '', haltpoll ? 'haltpoll' : ''].filter((text) => text !== '');
  return found.length > 0
    ? ok('control of idle states', found.join(', '))
    : worse(
        'control of idle states',
        'neither /dev/cpu_dma_latency nor haltpoll',
        'wake-ups take 50 us rather than 6 us',
      );
}

function runFolder(): ProbeResult {
  try {
    accessSync('/run', constants.W_OK);
  } catch {
    return missing('/run', 'cannot be written', 'run as root');
  }
  const isTmpfs = read('/proc/self/mountinfo')
    .split('\n')
    .some((line) => line.split(' ')[4] === '/run' && line.includes(' - tmpfs '));
  return isTmpfs
    ? ok('/run', 'tmpfs')
    : worse('/run', 'not a tmpfs', 'mount -t tmpfs tmpfs /run: shared memory on disk is slow');
}

function root(): ProbeResult {
  return process.getuid?.() === 0
    ? ok('user', 'root')
    : missing(
        'user',
        `uid ${process.getuid?.() ?? '?'}`,
        'run as root: junctiond makes namespaces, cgroups and host uids',
      );
}

function init(): ProbeResult {
  return existsSync('/run/systemd/system')
    ? ok('process 1', 'systemd: the stack runs as units and starts at boot')
    : worse(
        'process 1',
        read('/proc/1/comm').trim(),
        'no systemd: our supervisor keeps the stack running; ./junction up --at-boot starts it at boot',
      );
}

function openFiles(): ProbeResult {
  const limit = /^Max open files\s+(\d+)\s+(\d+)/m.exec(read('/proc/self/limits'));
  const hard = Number(limit?.[2] ?? 0);
  return hard >= 65_536
    ? ok('open files', `up to ${hard}`)
    : worse('open files', `up to ${hard}`, 'ulimit -Hn 1048576: each connection and instance takes some');
}

/** All probes of the host, each run once. */
export function probeHost(): ProbeResult[] {
  const probes = [root, architecture, hostKernel, userDispatch, seccomp, fsgsbase, namespaces, overlay, idmappedMounts];
  return [...probes, cgroups, idleStates, runFolder, openFiles, init].map((probe) => probe());
}
