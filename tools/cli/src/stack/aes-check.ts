// SPDX-License-Identifier: Apache-2.0
// The proof that a stack works: the AES function is deployed, invoked, and its answer compared with our own AES.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeAesPayload } from '../../../bench/aes-payload.ts';
import { loadBinary, LoadClient } from '../../../bench/load.ts';
import { quantile } from '../../../bench/measurement.ts';
import { waitUntil } from '../process/wait-until.ts';
import type { GatewayClient } from './gateway-client.ts';

export const aesFunction = 'aes';
const digestAnnotation = 'com.junctiond.image-index';
const invocations = 100;

export interface AesResult {
  readonly invocations: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Deploys the AES function from functions/dist/aes unless it is already there as that image; a user's own of that name stays. */
export async function deployAes(
  gateway: Pick<GatewayClient, 'describe' | 'deploy'>,
  root: string,
): Promise<'deployed' | 'unchanged' | 'not ours'> {
  const image = join(root, 'functions/dist/aes');
  const index = createHash('sha256')
    .update(readFileSync(join(image, 'index.json')))
    .digest('hex');
  const present = await gateway.describe(aesFunction);
  if (present !== undefined && present.annotations?.[digestAnnotation] === undefined) return 'not ours';
  if (present?.annotations?.[digestAnnotation] === index && present.image === image) return 'unchanged';
  await gateway.deploy({ service: aesFunction, image, annotations: { [digestAnnotation]: index } });
  return 'deployed';
}

/** Waits until a replica answers. Throws with the last reason after `timeoutMs`. */
export async function waitForAes(gateway: GatewayClient, timeoutMs: number): Promise<void> {
  let seen = 'the function is unknown';
  const ready = await waitUntil(timeoutMs, async () => {
    const status = await gateway.describe(aesFunction);
    if ((status?.availableReplicas ?? 0) > 0) return true;
    seen = JSON.stringify(status ?? seen);
    return undefined;
  });
  if (ready === undefined) throw new Error(`function ${aesFunction} has no replica after ${timeoutMs} ms: ${seen}`);
}

/**
 * Invokes the function with random bytes, one call after the other over one connection, and checks every answer against our
 * own AES. The measuring client of the benches does it: Node.js itself would take longer than what it measures.
 */
export async function invokeAes(url: string, root: string): Promise<AesResult> {
  const folder = mkdtempSync(join(tmpdir(), 'junction-aes-'));
  try {
    const client = new LoadClient(loadBinary(root), writeAesPayload(folder));
    const timesNs = await client.sequential(`${url}/function/${aesFunction}`, invocations, 0);
    return { invocations, p50Us: quantile(timesNs, 0.5) / 1000, p99Us: quantile(timesNs, 0.99) / 1000 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
