// SPDX-License-Identifier: Apache-2.0
// Instances with a NIC: what they reach and what not, how the host reaches them, and that links and uplink outlive what is killed.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stackNetwork } from '@junctiond/config';
import { exchange, until } from '@junctiond/testing';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type FunctionDeployment } from './faas-cli/openfaas-api.js';
import { encryptedHex } from './stack/aes.js';
import { builtImage } from './stack/images.js';
import { Load } from './stack/load.js';
import { Outside } from './stack/outside.js';
import { type ProcessName, TestStack, stackTimeoutMs } from './stack/test-stack.js';
import { usesNic } from './stack/uses-nic.js';

const connections = 8;
const forwarding = '/proc/sys/net/ipv4/ip_forward';

let stack: TestStack;
let outside: Outside;
let hostServer: Server;
let forwardingBefore: string;

const hostPort = (): number => (hostServer.address() as AddressInfo).port;
const probe = (service: string, more: Partial<FunctionDeployment> = {}): FunctionDeployment => ({
  service,
  image: builtImage('probe'),
  ...more,
});

async function ask(name: string, path: string): Promise<Record<string, unknown>> {
  const answer = await exchange(stack.functionUrl(name, path), { method: 'GET' });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body.toString()) as Record<string, unknown>;
}

/** Why the function cannot connect; empty = it can. */
async function reach(name: string, address: string): Promise<string> {
  return (await ask(name, `/reach/tcp?address=${address}`))['error'] as string;
}

/** The addresses of a function's instances. */
async function addressesOf(name: string): Promise<string[]> {
  const { instances } = await stack.status();
  return instances.filter(({ id }) => id.startsWith(`${name}-`)).map(({ ip }) => ip);
}

async function addressOf(name: string): Promise<string> {
  const [address] = await addressesOf(name);
  if (address === undefined || address === '') throw new Error(`${name} has no address of its own`);
  return address;
}

async function untilMore(load: Load, answers = 200): Promise<void> {
  const before = load.answered;
  await until('more answers under load', () => load.answered > before + answers);
}

async function uplinkAddress(): Promise<string> {
  const { uplink } = await stack.status();
  const address = uplink?.addresses.find((each) => !each.includes(':'))?.split('/')[0];
  if (address === undefined) throw new Error('there is no uplink');
  return address;
}

/**
 * Leases of an instance's ports: the accepted connections to its links socket (proc(5), /proc/net/unix; state 03 is connected). One is the
 * uplink's, the others are of the gateway's workers.
 */
function leasesOf(instanceId: string): number {
  const path = join(stack.paths.runDir, 'links', instanceId);
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[5] === '03' && words[7] === path).length;
}

function hasDevice(name: string): boolean {
  return spawnSync('ip', ['link', 'show', 'dev', name]).status === 0;
}

async function instanceOf(name: string): Promise<string> {
  const found = (await stack.status()).instances.find(({ id }) => id.startsWith(`${name}-`));
  if (found === undefined) throw new Error(`${name} has no instance`);
  return found.id;
}

function describeWithNics(): void {
  beforeAll(async () => {
    forwardingBefore = readFileSync(forwarding, 'utf8');
    outside = await Outside.open();
    hostServer = createServer((socket) => socket.on('error', () => undefined).end('a service of the host'));
    await new Promise<void>((resolve) => hostServer.listen(0, '::', resolve));
    stack = await TestStack.start();
    await Promise.all([
      stack.deploy({ service: 'aes', image: builtImage('aes') }),
      stack.deploy(probe('probe')),
      stack.deploy(probe('neighbour')),
      stack.deploy(
        probe('allowed', {
          annotations: { 'com.junctiond.network.allow': `${outside.hostAddress}:${hostPort()}, 192.0.2.0/24:443` },
        }),
      ),
    ]);
  }, stackTimeoutMs);
  afterAll(async () => {
    await stack.stop();
    await new Promise((resolve) => hostServer.close(resolve));
    await outside.close();
  });

  describe('a function', () => {
    it('has an address of its own, in the range of the stack, and a loopback', async () => {
      const { range } = stackNetwork(stack.name);
      const addresses = await Promise.all(['aes', 'probe', 'neighbour', 'allowed'].map(addressOf));
      expect(new Set(addresses).size).toBe(4);
      for (const address of addresses) {
        expect(address.split('.').slice(0, 2)).toEqual(range.split('.').slice(0, 2));
      }
      expect((await ask('probe', '/about'))['interfaces']).toEqual(expect.arrayContaining(['lo', 'eth0']));
      expect(await reach('probe', '127.0.0.1:8080')).toBe('');
    });

    it('reaches the outside, which sees the host', async () => {
      const before = outside.heard.length;
      expect(await reach('probe', `${outside.address}:${outside.port}`)).toBe('');
      await until('the connection outside', () => outside.heard.length > before);
      expect(outside.heard.at(-1)).toBe(outside.hostAddress);
    });

    it('reaches the gateway by its name', async () => {
      expect((await ask('probe', '/reach/name?name=gateway'))['addresses']).toEqual([await uplinkAddress()]);
      expect(await reach('probe', `gateway:${stack.portBase}`)).toBe('');
    });

    it('has a resolver that it can reach', async () => {
      const servers = [...String((await ask('probe', '/about'))['resolvConf']).matchAll(/^nameserver (\S+)$/gm)];
      expect(servers.length).toBeGreaterThan(0);
      for (const [, server] of servers) expect(server).not.toMatch(/^(127\.|::1$|0\.)/);
    });

    it.each<[string, () => string | Promise<string>]>([
      ['a service of the host by an address of the host', () => `${outside.hostAddress}:${hostPort()}`],
      ['a service of the host by the uplink', async () => `${await uplinkAddress()}:${hostPort()}`],
      ["a service of the host by what is the function's own loopback", () => `127.0.0.1:${hostPort()}`],
      ['the metrics of the provider', async () => `${await uplinkAddress()}:${stack.ports.providerMetrics}`],
      ['the metrics of the gateway', async () => `${await uplinkAddress()}:${stack.ports.gatewayMetrics}`],
      ['link-local addresses', () => '169.254.169.254:80'],
      ['another function', async () => `${await addressOf('neighbour')}:8080`],
    ])('cannot reach %s', async (_what, address) => {
      expect(await reach('probe', await address())).not.toBe('');
    });

    it('reaches what its deployment allows, and nothing beside it', async () => {
      expect(await reach('allowed', `${outside.hostAddress}:${hostPort()}`)).toBe('');
      expect(await reach('allowed', `${await uplinkAddress()}:${hostPort()}`)).not.toBe('');
      expect(await reach('allowed', `${outside.hostAddress}:${stack.ports.providerMetrics}`)).not.toBe('');
      expect(await reach('allowed', `${await addressOf('neighbour')}:8080`)).not.toBe('');
    });

    it('is refused with all faults where what it is to be allowed makes no sense', async () => {
      const annotations = { 'com.junctiond.network.allow': '10.0.0.1/8, example.com:443, 10.0.0.0/8:443' };
      const answer = await stack.api.createFunction(probe('faulty', { annotations }));
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('10.0.0.1/8');
      expect(answer.text).toContain('example.com:443');
      expect(answer.text).not.toContain('"10.0.0.0/8:443"');
    });
  });

  describe('the host', () => {
    it('reaches an instance by its address', async () => {
      const answer = await exchange(`http://${await addressOf('aes')}:8080/`, { body: 'hello' });
      expect(answer.body.toString()).toBe(encryptedHex('hello'));
    });

    it('sees the uplink in the status', async () => {
      const { uplink } = await stack.status();
      expect(uplink).toMatchObject({ device: stackNetwork(stack.name).device, isUp: true });
      expect((await stack.junction('status')).stdout).toContain(`uplink ${stackNetwork(stack.name).device} up`);
      // The clash that doctor looks for is not the stack's own device.
      expect((await stack.junction('doctor')).stdout).toMatch(/ok +addresses/);
    });
  });

  describe('addresses', () => {
    it('stay over a crash, and a new replica gets another one', async () => {
      const address = await addressOf('neighbour');
      const { token } = await ask('neighbour', '/about');
      await exchange(stack.functionUrl('neighbour', '/crash?how=exit')).catch(() => undefined);
      await until('another process', async () => (await ask('neighbour', '/about'))['token'] !== token);
      expect(await addressesOf('neighbour')).toEqual([address]);

      await stack.api.scaleFunction('neighbour', 2);
      await stack.untilAvailable('neighbour', 2);
      const both = await addressesOf('neighbour');
      expect(new Set(both).size).toBe(2);
      expect(both).toContain(address);
      await stack.api.scaleFunction('neighbour', 1);
      await stack.untilAvailable('neighbour', 1);
    });
  });

  describe.each<ProcessName>(['scheduler', 'scheduler-monitor', 'junctiond', 'provider'])('SIGKILL to %s', (name) => {
    it('fails no request over links, cuts no connection of the uplink, and all is back', async () => {
      const address = await addressOf('probe');
      const id = await instanceOf('aes');
      const leases = leasesOf(id);
      expect(leases).toBeGreaterThanOrEqual(2);
      const held = exchange(`http://${address}:8080/hold?key=${name}`, { method: 'GET' });
      await until('the request to be held', async () => {
        return (await ask('probe', `/waiting?key=${name}`))['waiting'] === 1;
      });
      const load = new Load(stack.functionUrl('aes'), connections);
      await untilMore(load);
      const pid = await stack.signal(name, 'SIGKILL');
      await untilMore(load);
      await stack.untilBack(name, pid);
      await untilMore(load);
      expect((await load.stop()).failures).toEqual([]);

      await exchange(stack.functionUrl('probe', `/release?key=${name}`));
      expect((await held).status).toBe(200);
      expect(await addressOf('probe')).toBe(address);
      await until('the uplink', async () => (await stack.status()).uplink?.isUp === true);
      await until('as many leases as before', () => leasesOf(id) === leases);
      expect(await reach('probe', `${outside.address}:${outside.port}`)).toBe('');
    });
  });

  describe('SIGKILL to the gateway', () => {
    it('loses what was in flight in it, and it gets its links back', async () => {
      const id = await instanceOf('aes');
      const leases = leasesOf(id);
      const load = new Load(stack.functionUrl('aes'), connections);
      await untilMore(load);
      const pid = await stack.signal('gateway', 'SIGKILL');
      await stack.untilBack('gateway', pid);
      await untilMore(load);
      const { failures } = await load.stop();
      const lost = failures.filter((failure) => !failure.includes('ECONNREFUSED'));
      for (const failure of lost) expect(failure).toMatch(/ECONNRESET|socket hang up|aborted/);
      expect(lost.length).toBeLessThanOrEqual(connections);
      await until('as many leases as before', () => leasesOf(id) === leases);
    });
  });

  describe('another stack', () => {
    let other: TestStack;
    beforeAll(async () => {
      other = await TestStack.start();
      await other.deploy(probe('probe'));
    }, stackTimeoutMs);
    afterAll(() => other.stop());

    it('has a network of its own, reached by the host and not by functions of this one', async () => {
      const [ip = ''] = (await other.status()).instances.map((instance) => instance.ip);
      expect((await exchange(`http://${ip}:8080/mirror`, { body: 'other' })).body.toString()).toBe('other');
      expect(await reach('probe', `${ip}:8080`)).not.toBe('');
      expect((await exchange(stack.functionUrl('aes'), { body: 'x' })).status).toBe(200);
    });

    it('leaves this one as it is when it goes', async () => {
      expect((await other.junction('down')).status).toBe(0);
      expect(await reach('probe', `${outside.address}:${outside.port}`)).toBe('');
      expect(hasDevice(stackNetwork(other.name).device)).toBe(false);
    });
  });

  describe('./junction down', () => {
    it('leaves no device, table, namespace or setting behind', async () => {
      const { device } = stackNetwork(stack.name);
      expect(hasDevice(device)).toBe(true);
      expect((await stack.junction('down')).status).toBe(0);
      expect(hasDevice(device)).toBe(false);
      expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).not.toContain(device.replaceAll('-', '_'));
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(stack.name);
      expect(readFileSync(forwarding, 'utf8')).toBe(forwardingBefore);
      expect(spawnSync('ip', ['route', 'show', 'dev', device]).stdout.toString()).toBe('');
    });
  });
}

function describeWithoutNics(): void {
  it('no instance has an address of its own, and there is no uplink', async () => {
    stack = await TestStack.start();
    try {
      await stack.deploy(probe('probe'));
      const { instances, uplink } = await stack.status();
      expect(instances.map(({ ip }) => ip)).toEqual(['']);
      expect(uplink).toBeNull();
    } finally {
      await stack.stop();
    }
  });
}

// By JUNCTION_JUNCTIOND_NETWORK, or its default.
describe('the network of instances', usesNic ? describeWithNics : describeWithoutNics);
