// SPDX-License-Identifier: Apache-2.0
// Which cgroup controllers this host offers and where: version 1, version 2 or some of each. Read once from
// /proc/self/mountinfo (proc(5)); read first the kernel's admin-guide on cgroup-v1 and cgroup-v2.
import { join } from 'node:path';

/** What is limited or read through cgroups. */
export const CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct'] as const;
export type Controller = (typeof CONTROLLERS)[number];

export interface CgroupTree {
  /** Mount points of version 1 hierarchies, by controller; several controllers may share one. */
  readonly v1: Readonly<Partial<Record<Controller, string>>>;
  /** Mount point of version 2. */
  readonly v2?: string;
  /** Controllers that version 2 has (v1 takes them away from it). */
  readonly v2Controllers: readonly Controller[];
}

/** `v2ControllersText` is the content of cgroup.controllers at version 2's mount point. */
export function findCgroups(mountinfo: string, readV2Controllers: (mountPoint: string) => string): CgroupTree {
  const v1: Partial<Record<Controller, string>> = {};
  let v2: string | undefined;
  for (const line of mountinfo.split('\n')) {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELDS...] - TYPE SOURCE SUPEROPTIONS
    const [before = '', after = ''] = line.split(' - ', 2);
    const mountPoint = unescapeMount(before.split(' ')[4] ?? '');
    const [type, , superOptions = ''] = after.split(' ');
    if (type === 'cgroup2') {
      v2 ??= mountPoint;
    } else if (type === 'cgroup') {
      for (const option of superOptions.split(',')) {
        const controller = CONTROLLERS.find((name) => name === option);
        if (controller !== undefined) {
          v1[controller] ??= mountPoint;
        }
      }
    }
  }
  if (v2 === undefined) {
    return { v1, v2Controllers: [] };
  }
  const names = readV2Controllers(v2).trim().split(/\s+/);
  return { v1, v2, v2Controllers: CONTROLLERS.filter((name) => names.includes(name)) };
}

/** The folders, one a hierarchy, that belong to the cgroup `path` (relative). */
export function cgroupDirs(tree: CgroupTree, path: string): string[] {
  const roots = new Set(Object.values(tree.v1));
  if (tree.v2 !== undefined) {
    roots.add(tree.v2);
  }
  return [...roots].map((root) => join(root, path));
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
