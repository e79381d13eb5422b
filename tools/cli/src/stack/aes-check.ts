// SPDX-License-Identifier: Apache-2.0
// The proof that a stack works: the AES function is deployed, invoked, and its answer compared with our own AES.
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { waitUntil } from '../process/wait-until.ts';
import type { GatewayClient } from './gateway-client.ts';

export const aesFunction = 'aes';
const digestAnnotation = 'com.junctiond.image-index';
const key = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const bodyBytes = 600;
const invocations = 100;

export interface AesResult {
  readonly invocations: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Deploys the AES function from functions/dist/aes unless it is already there as that image. */
export async function deployAes(gateway: GatewayClient, root: string): Promise<'deployed' | 'unchanged'> {
  const image = join(root, 'functions/dist/aes');
  const index = createHash('sha256')
    .update(readFileSync(join(image, 'index.json')))
    .digest('hex');
  const present = await gateway.describe(aesFunction);
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

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** Invokes the function with random bytes, one call after the other, and checks every answer. */
export async function invokeAes(gateway: GatewayClient): Promise<AesResult> {
  const timesUs: number[] = [];
  for (let round = 0; round < invocations; round += 1) {
    const body = randomBytes(bodyBytes);
    const expected = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(body).toString('hex');
    const since = process.hrtime.bigint();
    const answer = await gateway.call({ method: 'POST', path: `/function/${aesFunction}`, body });
    timesUs.push(Number(process.hrtime.bigint() - since) / 1000);
    if (answer.status !== 200 || answer.body.toString() !== expected) {
      const got = answer.body.toString().slice(0, 200);
      throw new Error(`invocation ${round + 1} answered ${answer.status} with something else than the AES: ${got}`);
    }
  }
  timesUs.sort((a, b) => a - b);
  return { invocations, p50Us: quantile(timesUs, 0.5), p99Us: quantile(timesUs, 0.99) };
}
