// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { deployAes } from './aes-check.ts';
import type { GatewayClient } from './gateway-client.ts';

type Present = Awaited<ReturnType<GatewayClient['describe']>>;
type Deployment = Parameters<GatewayClient['deploy']>[0];

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aes-check-'));
  mkdirSync(join(root, 'functions/dist/aes'), { recursive: true });
  writeFileSync(join(root, 'functions/dist/aes/index.json'), '{}');
});
afterEach(() => rmSync(root, { recursive: true }));

function gatewayWith(present: Present): { deployments: Deployment[]; deploy: () => ReturnType<typeof deployAes> } {
  const deployments: Deployment[] = [];
  const gateway = {
    describe: () => Promise.resolve(present),
    deploy: (deployment: Deployment) => {
      deployments.push(deployment);
      return Promise.resolve();
    },
  };
  return { deployments, deploy: () => deployAes(gateway, root) };
}

describe('the example of up', () => {
  it('is deployed where there is none, and not again', async () => {
    const first = gatewayWith(undefined);
    await expect(first.deploy()).resolves.toBe('deployed');
    const [deployment] = first.deployments;
    const again = gatewayWith({ ...deployment, name: 'aes', availableReplicas: 1 } as Present);
    await expect(again.deploy()).resolves.toBe('unchanged');
    expect(again.deployments).toEqual([]);
  });

  it('is deployed again when the image has changed', async () => {
    const first = gatewayWith(undefined);
    await first.deploy();
    writeFileSync(join(root, 'functions/dist/aes/index.json'), '{"new":1}');
    const again = gatewayWith({ ...first.deployments[0], name: 'aes', availableReplicas: 1 } as Present);
    await expect(again.deploy()).resolves.toBe('deployed');
  });

  it('leaves a function of that name alone which a user has deployed', async () => {
    const own = gatewayWith({ name: 'aes', image: 'mine:1', availableReplicas: 1 });
    await expect(own.deploy()).resolves.toBe('not ours');
    expect(own.deployments).toEqual([]);
  });
});
