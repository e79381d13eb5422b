// SPDX-License-Identifier: Apache-2.0
// What a user does with faas-cli, from login to remove. With the real one too, where it is on PATH.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@junctiond/testing';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaasCli } from './faas-cli/faas-cli.js';
import { OwnFaasCli } from './faas-cli/own-faas-cli.js';
import { RealFaasCli, findFaasCli } from './faas-cli/real-faas-cli.js';
import { encryptedHex } from './stack/aes.js';
import { builtImage, imagesFolder } from './stack/images.js';
import { TestStack, projectRoot, stackTimeoutMs } from './stack/test-stack.js';

const stackFile = join(projectRoot, 'functions/stack.yml');
const variables = { FUNCTIONS: imagesFolder };
const names = ['aes', 'aes-cpp', 'aes-node', 'aes-python'];

const scratch = mkdtempSync(join(tmpdir(), 'user-story-'));
let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
}, stackTimeoutMs);
afterAll(async () => {
  await stack.stop();
  rmSync(scratch, { recursive: true });
});

const realProgram = findFaasCli();
const clients: readonly { client: string; make: () => FaasCli }[] = [
  { client: 'the own client', make: () => new OwnFaasCli(stack.gatewayUrl) },
  ...(realProgram === undefined
    ? []
    : [{ client: 'faas-cli', make: () => new RealFaasCli(realProgram, stack.gatewayUrl) }]),
];

describe.each(clients)('with $client', ({ make }) => {
  let cli: FaasCli;

  beforeAll(() => {
    cli = make();
  });

  it('refuses a login with a wrong password, and takes the right one', async () => {
    await expect(cli.login({ user: 'admin', password: 'wrong' })).rejects.toThrow();
    await cli.login(stack.credentials);
  });

  it('deploys a stack file', async () => {
    await cli.deploy(stackFile, variables);
    for (const name of names) await until(`${name} to be ready`, () => cli.ready(name));
  });

  it('deploys it again over itself', async () => {
    await cli.deploy(stackFile, variables);
    for (const name of names) await until(`${name} to be ready`, () => cli.ready(name));
  });

  it('lists the functions with their images', async () => {
    const listed = await cli.list();
    expect(listed.map(({ name }) => name).toSorted()).toEqual(names);
    const image = listed.find(({ name }) => name === 'aes')?.image ?? '';
    expect(image.length).toBeGreaterThan(30);
    expect(builtImage('aes').startsWith(image)).toBe(true);
  });

  it('describes a function', async () => {
    const text = await cli.describe('aes');
    for (const part of ['aes', builtImage('aes'), 'com.openfaas.scale.max']) expect(text).toContain(part);
  });

  it.each(names)('invokes %s', async (name) => {
    const plain = randomBytes(600);
    expect((await cli.invoke(name, plain)).toString()).toBe(encryptedHex(plain));
  });

  it('fails to invoke with a method that the function refuses', async () => {
    await expect(cli.invoke('aes', Buffer.from('x'), { method: 'GET' })).rejects.toThrow();
  });

  it('invokes with a query and a header, and reads the logs', async () => {
    const file = join(scratch, 'story-probe.yml');
    writeFileSync(file, stackFileOf('story-probe', builtImage('probe')));
    await cli.deploy(file, {});
    await until('story-probe to be ready', () => cli.ready('story-probe'));
    const answer = await cli.invoke('story-probe', Buffer.from('body'), { query: 'a=b', header: 'X-Mine=yes' });
    const seen = JSON.parse(answer.toString()) as { query: string; headers: Record<string, string[]> };
    expect(seen.query).toBe('a=b');
    expect(seen.headers['X-Mine']).toEqual(['yes']);
    await until('its first line in the logs', async () => (await cli.logs('story-probe')).includes('probe: serving'));
    await cli.remove('story-probe');
  });

  it('keeps secrets', async () => {
    await cli.createSecret('story-secret', 'first value');
    expect(await cli.listSecrets()).toContain('story-secret');
    await cli.updateSecret('story-secret', 'second value');
    await cli.removeSecret('story-secret');
    expect(await cli.listSecrets()).not.toContain('story-secret');
  });

  it('lists the namespaces, the default one first', async () => {
    expect((await cli.namespaces())[0]).toBe('openfaas-fn');
  });

  it('removes functions, and is told when there is none', async () => {
    for (const name of names) await cli.remove(name);
    await expect(cli.remove('aes')).rejects.toThrow();
    await expect(cli.invoke('aes', Buffer.from('x'))).rejects.toThrow();
    expect(await cli.list()).toEqual([]);
  });
});

function stackFileOf(name: string, image: string): string {
  return `version: 1.0
provider:
  name: openfaas
functions:
  ${name}:
    skip_build: true
    image: ${image}
`;
}
