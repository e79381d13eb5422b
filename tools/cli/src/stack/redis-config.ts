// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { StackPaths } from '@junctiond/config';

/** The configuration of the stack's own Redis: unix socket only, every change in the append-only file within a second. */
export function redisConfig(paths: StackPaths): string {
  return `# Made by ./junction up; changes are overwritten.
port 0
unixsocket ${paths.redisSocket}
unixsocketperm 600
dir ${paths.redisDir}
daemonize no
supervised no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel notice
`;
}

/** Writes the configuration and answers its path. */
export function writeRedisConfig(paths: StackPaths): string {
  mkdirSync(paths.redisDir, { recursive: true, mode: 0o700 });
  const file = join(paths.redisDir, 'redis.conf');
  writeFileSync(file, redisConfig(paths), { mode: 0o600 });
  return file;
}
