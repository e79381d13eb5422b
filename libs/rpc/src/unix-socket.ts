// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

/** A listening unix socket that was put in its place. */
export interface PlacedSocket {
  /** Removes the socket's name, unless another process has put its own there meanwhile. */
  remove(): void;
}

/**
 * Lets `listen` bind a unix socket that nobody but this user can connect to at any moment, and puts it at `path`.
 * It is bound in a private folder, given mode 0600 and then renamed: bind and chmod in place would leave it open to all
 * in between, and a stale file of a killed process is replaced without a moment of no file.
 * @throws when another process answers at `path`.
 */
export async function placeSocket(path: string, listen: (path: string) => Promise<void>): Promise<PlacedSocket> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (await answers(path)) throw new Error(`another process already listens on ${path}`);
  // Not join(): it would drop the dot, and the folder would be a sibling of the directory.
  const folder = mkdtempSync(`${dirname(path)}/.`);
  try {
    const bound = join(folder, 's');
    await listen(bound);
    chmodSync(bound, 0o600);
    const { ino, dev } = statSync(bound);
    renameSync(bound, path);
    return {
      remove: () => {
        const now = statSync(path, { throwIfNoEntry: false });
        if (now?.ino === ino && now.dev === dev) rmSync(path, { force: true });
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** True when a process accepts connections at `path`. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
