// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which build runs. */
export interface BuildInfo {
  /** The version of the package. */
  readonly release: string;
  /** The commit of the checkout, `unknown` outside one. */
  readonly sha: string;
}

/** Reads the version and the commit of the checkout that holds this file; no program is started for it. */
export function readBuildInfo(): BuildInfo {
  // src and dist are siblings, so the root is three levels up from either.
  const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
  const manifest = JSON.parse(readFileSync(join(root, 'libs/config/package.json'), 'utf8')) as { version: string };
  return { release: manifest.version, sha: headCommit(join(root, '.git')) ?? 'unknown' };
}

/** The commit that HEAD names, from the files of gitrepository-layout(5). */
function headCommit(gitDir: string): string | undefined {
  const read = (name: string): string | undefined => {
    try {
      return readFileSync(join(gitDir, name), 'utf8');
    } catch {
      return undefined; // No checkout, or the ref is packed.
    }
  };
  const head = read('HEAD')?.trim();
  const ref = /^ref: (\S+)$/.exec(head ?? '')?.[1];
  if (ref === undefined) return head;
  const packed = read('packed-refs')
    ?.split('\n')
    .find((line) => line.endsWith(` ${ref}`));
  return read(ref)?.trim() ?? packed?.split(' ')[0];
}
