// SPDX-License-Identifier: Apache-2.0
// Turns the USER of an image or a request into numbers, by the image's own /etc/passwd and /etc/group (passwd(5), group(5)).
import { JunctiondError } from '../junctiond.error.js';
import { readRootfsFile } from './rootfs-file.js';

export interface GuestUser {
  readonly uid: number;
  readonly gid: number;
  /** From /etc/passwd; `/` where the image does not know the user. */
  readonly home: string;
}

/** Each instance owns 65,536 ids; the last one is Linux's overflow id. */
const MAX_ID = 65_534;
const MAX_DATABASE_BYTES = 1024 * 1024;
const NUMBER = /^\d{1,10}$/;

/**
 * `user`, `uid`, `user:group` or `uid:gid`; empty means root. A known user's own group counts where none is named.
 * Throws invalid_argument for a name that the image does not know and for ids out of range.
 */
export async function resolveGuestUser(rootfsDir: string, text: string): Promise<GuestUser> {
  const [userText = '', groupText] = text.split(':', 2);
  const users = parseDatabase((await readRootfsFile(rootfsDir, '/etc/passwd', MAX_DATABASE_BYTES)) ?? '');
  const wanted = userText === '' ? '0' : userText;
  const entry = users.find(([name, , uid]) => (NUMBER.test(wanted) ? Number(uid) === Number(wanted) : name === wanted));
  if (entry === undefined && !NUMBER.test(wanted)) {
    throw new JunctiondError('invalid_argument', `the image has no user ${JSON.stringify(wanted)} in its /etc/passwd`);
  }
  const uid = checkId(entry?.[2] ?? wanted, `user ${wanted}`);
  const gid =
    groupText === undefined || groupText === ''
      ? checkId(entry?.[3] ?? '0', `group of user ${wanted}`)
      : await resolveGroup(rootfsDir, groupText);
  const home = entry?.[5];
  return { uid, gid, home: home?.startsWith('/') === true ? home : '/' };
}

async function resolveGroup(rootfsDir: string, text: string): Promise<number> {
  if (NUMBER.test(text)) {
    return checkId(text, `group ${text}`);
  }
  const groups = parseDatabase((await readRootfsFile(rootfsDir, '/etc/group', MAX_DATABASE_BYTES)) ?? '');
  const entry = groups.find(([name]) => name === text);
  if (entry === undefined) {
    throw new JunctiondError('invalid_argument', `the image has no group ${JSON.stringify(text)} in its /etc/group`);
  }
  return checkId(entry[2] ?? '', `group ${text}`);
}

function parseDatabase(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.includes(':') && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function checkId(text: string, what: string): number {
  const id = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!(id <= MAX_ID)) {
    throw new JunctiondError('invalid_argument', `${what}: ids must be 0 to ${MAX_ID}`);
  }
  return id;
}
