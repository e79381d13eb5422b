// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

/** A script that Redis runs atomically. Its first reply field is a status word, see `ScriptReply`. */
export interface LuaScript {
  readonly body: string;
  readonly sha1: string;
}

/**
 * Makes a script from its text. Redis names scripts by the SHA-1 of their text (EVALSHA), so the hash is no
 * security measure here.
 */
export function luaScript(body: string): LuaScript {
  return { body, sha1: createHash('sha1').update(body).digest('hex') };
}

/**
 * First lines of each script that changes state: KEYS[1] is the lease, ARGV[1] the epoch of the caller. A provider that
 * was paused past its lease is stopped here, whatever it believes.
 */
export const FENCE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'fenced'} end
`;
