// SPDX-License-Identifier: Apache-2.0
import type { TarEntry } from './tar.ts';

/** The user that a function's program runs as. */
export const APP_USER = { uid: 1000, gid: 1000, home: 'home/app' };

/** What every image has beside its programs: users, a home and /tmp. */
export function baseFiles(): TarEntry[] {
  return [
    folder('etc', 0o755),
    file('etc/group', `root:x:0:\napp:x:${APP_USER.gid}:\nnogroup:x:65534:\n`),
    file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    file(
      'etc/passwd',
      'root:x:0:0:root:/root:/bin/sh\n' +
        `app:x:${APP_USER.uid}:${APP_USER.gid}::/${APP_USER.home}:/bin/sh\n` +
        'nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
    ),
    folder('home', 0o755),
    { ...folder(APP_USER.home, 0o755), uid: APP_USER.uid, gid: APP_USER.gid },
    folder('root', 0o700),
    folder('tmp', 0o1777),
    folder('var', 0o755),
  ];
}

function folder(path: string, mode: number): TarEntry {
  return { path, mode, uid: 0, gid: 0, content: { kind: 'folder' } };
}

function file(path: string, text: string): TarEntry {
  return { path, mode: 0o644, uid: 0, gid: 0, content: { kind: 'file', bytes: Buffer.from(text) } };
}
