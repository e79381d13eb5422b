// SPDX-License-Identifier: Apache-2.0
import { lives, signal } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { waitUntil } from './wait-until.ts';

/** SIGTERM, and SIGKILL after `graceMs`. Answers whether it had to be killed; when it answers the process is gone. */
export async function stopProcess(identity: ProcessIdentity, graceMs: number): Promise<'gone' | 'stopped' | 'killed'> {
  if (!signal(identity, 'SIGTERM')) return 'gone';
  const hasEnded = (): true | undefined => (lives(identity) ? undefined : true);
  if ((await waitUntil(graceMs, hasEnded)) === true) return 'stopped';
  signal(identity, 'SIGKILL');
  await waitUntil(5_000, hasEnded);
  return 'killed';
}
