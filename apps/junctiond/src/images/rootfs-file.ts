// SPDX-License-Identifier: Apache-2.0
// Reads a file of an unpacked image as a process inside it would see it. The image is not trusted: its symbolic links are
// followed within its root only, and nothing but a small regular file is read.
import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { errorCode } from '../junctiond.error.js';

/** As many as Linux follows (MAXSYMLINKS, path_resolution(7)). */
const MAX_LINKS = 40;

/** The content of `path` inside `root`, or undefined where there is no such regular file of at most `maxBytes`. */
export async function readRootfsFile(root: string, path: string, maxBytes: number): Promise<string | undefined> {
  const real = await resolveInRoot(root, path);
  if (real === undefined) {
    return undefined;
  }
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (handle === undefined) {
    return undefined;
  }
  try {
    const info = await handle.stat();
    return info.isFile() && info.size <= maxBytes ? await handle.readFile('utf8') : undefined;
  } finally {
    await handle.close();
  }
}

/** The host path of `path` inside `root` with every link followed as if `root` were `/`; undefined where it leads nowhere. */
async function resolveInRoot(root: string, path: string): Promise<string | undefined> {
  const pending = path.split('/').reverse();
  const resolved: string[] = [];
  for (let links = 0; pending.length > 0;) {
    const part = pending.pop() ?? '';
    if (part === '' || part === '.') {
      continue;
    }
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const here = join(root, ...resolved, part);
    let info;
    try {
      info = await lstat(here);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
        return undefined;
      }
      throw error;
    }
    if (!info.isSymbolicLink()) {
      resolved.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) {
      return undefined;
    }
    const target = await readlink(here);
    if (target.startsWith('/')) {
      resolved.length = 0;
    }
    pending.push(...target.split('/').reverse());
  }
  return join(root, ...resolved);
}
