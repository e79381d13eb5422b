// SPDX-License-Identifier: Apache-2.0
// What a function finds around itself inside an instance, and what it cannot reach.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, until } from '@junctiond/testing';
import { readFileSync } from 'node:fs';
import { HttpStream } from './stack/http-stream.js';
import { builtImage } from './stack/images.js';
import { TestStack, stackTimeoutMs } from './stack/test-stack.js';
import { usesNic } from './stack/uses-nic.js';

/** What the probe function tells of its surroundings. */
interface About {
  readonly token: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly hostname: string;
  readonly uid: number;
  readonly gid: number;
  readonly cpus: number;
  readonly executable: string;
  readonly status: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly writable: Readonly<Record<string, string>>;
  readonly resolvConf: string;
  readonly hosts: string;
}

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start();
  await stack.api.createSecret('api-key', 'first value');
  await stack.deploy({
    service: 'probe',
    image: builtImage('probe'),
    envProcess: 'some process',
    envVars: { MINE: 'value with spaces', PROBE_IMAGE_ENV: 'set by the deployment' },
    secrets: ['api-key'],
    limits: { memory: '128Mi', cpu: '1' },
    readOnlyRootFilesystem: true,
  });
}, stackTimeoutMs);
afterAll(() => stack.stop());

async function ask(path: string, name = 'probe'): Promise<unknown> {
  const answer = await exchange(stack.functionUrl(name, path), { method: 'GET' });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body.toString());
}

async function about(name = 'probe'): Promise<About> {
  return (await ask('/about', name)) as About;
}

describe('a function', () => {
  it('has the environment of its image and of its deployment', async () => {
    const { env } = await about();
    expect(env).toMatchObject({
      MINE: 'value with spaces',
      PROBE_IMAGE_ENV: 'set by the deployment',
      HOME: '/home/app',
      fprocess: 'some process',
      OPENFAAS_NAME: 'probe',
      OPENFAAS_NAMESPACE: 'openfaas-fn',
    });
    for (const name of Object.keys(env)) expect(name).not.toMatch(/^(JUNCTION_|SSH_|INVOCATION_ID)/);
  });

  it('has the entry point, command, user and working directory of its image', async () => {
    const seen = await about();
    expect(seen.args).toEqual(['/home/app/probe', 'from-cmd']);
    expect(seen.executable).toBe('/home/app/probe');
    expect([seen.uid, seen.gid]).toEqual([1000, 1000]);
    expect(seen.cwd).toBe('/home/app');
  });

  it('has its name as host name', async () => {
    expect((await about()).hostname).toBe('probe');
  });

  it('has no rights on the host', async () => {
    const { status } = await about();
    expect(status['CapEff']).toMatch(/^0+$/);
    expect(status['CapPrm']).toMatch(/^0+$/);
    expect(status['NoNewPrivs']).toBe('1');
    expect(status['Seccomp']).toBe('2');
  });

  it('sees as many CPUs as it may use', async () => {
    expect((await about()).cpus).toBe(1);
  });

  it('writes to /tmp only, where its root is read-only', async () => {
    const { writable } = await about();
    expect(writable['/tmp']).toBe('');
    for (const folder of ['/', '/etc', '/home/app', '/var/openfaas/secrets']) expect(writable[folder]).not.toBe('');
  });

  it('writes where its user may, otherwise', async () => {
    await stack.deploy({ service: 'writer', image: builtImage('probe') });
    const { writable } = await about('writer');
    expect(writable['/tmp']).toBe('');
    expect(writable['/home/app']).toBe('');
    expect(writable['/etc']).not.toBe('');
  });

  it('keeps what it writes to itself', async () => {
    await stack.deploy({ service: 'neighbour', image: builtImage('probe') });
    expect(await ask('/reach/write?path=/tmp/mine&text=mine', 'writer')).toEqual({ error: '' });
    expect(await ask('/reach/file?path=/tmp/mine', 'writer')).toEqual({ content: 'mine', error: '' });
    expect(await ask('/reach/file?path=/tmp/mine', 'neighbour')).toMatchObject({ content: '' });
  });

  it('resolves names as the host does, and knows the gateway by name', async () => {
    const seen = await about();
    // With a NIC a resolver on the host's loopback has another address (network.spec.ts).
    const nameServers = (text: string) =>
      text.split('\n').filter((line) => /^nameserver\s/.test(line) && !(usesNic && /\s(127\.|::1$|10\.)/.test(line)));
    expect(nameServers(seen.resolvConf)).toEqual(nameServers(readFileSync('/etc/resolv.conf', 'utf8')));
    const { addresses, error } = (await ask('/reach/name?name=gateway')) as { addresses: string[]; error: string };
    expect(error).toBe('');
    expect(addresses).not.toHaveLength(0);
  });
});

describe('secrets', () => {
  it('are files that only tell what they are', async () => {
    expect((await about()).secrets).toEqual({ 'api-key': 'first value' });
  });

  it('are updated in place', async () => {
    const { token } = await about();
    expect([200, 202]).toContain((await stack.api.updateSecret('api-key', 'second value')).status);
    await until('the new value', async () => (await about()).secrets['api-key'] === 'second value');
    expect((await about()).token).toBe(token);
  });

  it('are not seen by a function that did not ask for them', async () => {
    expect((await about('writer')).secrets).toEqual({});
  });
});

describe('the logs', () => {
  it('have what the function writes to either output', async () => {
    await exchange(stack.functionUrl('writer', '/log?text=line-to-stdout'));
    await exchange(stack.functionUrl('writer', '/log?text=line-to-stderr&stream=stderr'));
    await until('both lines', async () => {
      const { text } = await stack.api.readLogs('writer');
      return text.includes('line-to-stdout') && text.includes('line-to-stderr');
    });
    const lines = (await stack.api.readLogs('writer')).text.trim().split('\n');
    for (const line of lines) {
      expect(JSON.parse(line)).toEqual({
        name: 'writer',
        namespace: 'openfaas-fn',
        instance: expect.stringMatching(/./),
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        text: expect.any(String),
      });
    }
  });

  it.each(['0', '1', 'true', 'false', ''])('are asked for with follow=%s', async (follow) => {
    const stream = new HttpStream(`${stack.gatewayUrl}/system/logs?name=writer&follow=${follow}`, {
      method: 'GET',
      headers: stack.api.headers,
    });
    stream.endBody();
    expect((await stream.response()).statusCode).toBe(follow === '' ? 400 : 200);
    if (follow === '0' || follow === 'false') await until('the end', () => stream.isEnded);
    stream.abort();
  });

  it('can be cut to their end', async () => {
    for (let i = 0; i < 5; i++) await exchange(stack.functionUrl('neighbour', `/log?text=number-${i}`));
    await until('the last line', async () => (await stack.api.readLogs('neighbour')).text.includes('number-4'));
    const lines = (await stack.api.readLogs('neighbour', { tail: 2 })).text.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { text: string }).text)).toEqual(['number-3', 'number-4']);
    expect((await stack.api.readLogs('neighbour', { since: new Date(Date.now() + 60_000) })).text).toBe('');
  });

  it('can be followed', async () => {
    const path = stack.api.logsPath('neighbour', { follow: true, tail: 1 });
    const follower = new HttpStream(`${stack.gatewayUrl}${path}`, { method: 'GET', headers: stack.api.headers });
    follower.endBody();
    const response = await follower.response();
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    await until('the line that was there', () => follower.received.includes('number-4'));
    await exchange(stack.functionUrl('neighbour', '/log?text=while-followed'));
    await until('the new line', () => follower.received.includes('while-followed'));
    follower.abort();
  });
});

describe('a function cannot reach', () => {
  it.each(['/etc/shadow', '/root/.bashrc', '/var/lib/junctiond', '/run/junctiond'])(
    'the file %s of the host',
    async (path) => {
      expect((await ask(`/reach/file?path=${path}`)) as { content: string }).toMatchObject({ content: '' });
    },
  );

  it('the processes of the host', async () => {
    const { names } = (await ask('/reach/folder?path=/proc')) as { names: string[] };
    const pids = names.filter((name) => /^\d+$/.test(name));
    expect(pids.length).toBeLessThan(5);
  });

  it('another function by its files', async () => {
    const { names } = (await ask('/reach/folder?path=/')) as { names: string[] };
    expect(names).toEqual(expect.arrayContaining(['etc', 'home', 'proc', 'tmp']));
    for (const name of names) expect(['boot', 'media', 'mnt', 'opt', 'srv', 'work']).not.toContain(name);
  });
});
