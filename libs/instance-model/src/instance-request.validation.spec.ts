// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { validateInstanceRequest } from './instance-request.validation.js';
import { cpuQuotaMillicores, type InstanceLimits, type InstanceRequest, resolveInstanceSpec } from './instance-spec.js';

const limits: InstanceLimits = {
  defaultCoreLimit: 1,
  maxCoreLimit: 8,
  defaultMemoryBytes: 268_435_456n,
  defaultPids: 512,
  defaultListenDeadlineMs: 60_000,
  defaultGracePeriodMs: 30_000,
};

const valid: InstanceRequest = {
  id: 'aes-1',
  image: 'oci:/srv/aes',
  hostname: '',
  uproc: { args: [], env: {}, cwd: '', user: '' },
  coreLimit: 0,
  memoryLimitBytes: 0n,
  pidsLimit: 0,
  servicePort: 0,
  readOnlyRoot: false,
  secrets: {},
  labels: {},
  listenDeadlineMs: 0,
  gracePeriodMs: 0,
  cpuLimitMillicores: 0n,
  restart: 'always',
  hosts: {},
  allow: [],
};

const fieldsOf = (change: Partial<InstanceRequest>): string[] =>
  validateInstanceRequest({ ...valid, ...change }).map((fault) => fault.field);
const uprocFields = (change: Partial<InstanceRequest['uproc']>): string[] =>
  fieldsOf({ uproc: { ...valid.uproc, ...change } });

describe('validateInstanceRequest', () => {
  it('accepts the smallest request and a full one', () => {
    expect(fieldsOf({})).toEqual([]);
    expect(
      fieldsOf({
        hostname: 'my_fn.v2',
        uproc: { args: ['/server', ''], env: { A: '', 'b.c': 'ä=1' }, cwd: '/app', user: 'www-data:33' },
        coreLimit: 8,
        memoryLimitBytes: 64n << 20n,
        pidsLimit: 32,
        servicePort: 65_535,
        secrets: { 'api-key.txt': new Uint8Array(10) },
        listenDeadlineMs: 1000,
        gracePeriodMs: 3_600_000,
        cpuLimitMillicores: 250n,
        hosts: { gateway: '10.62.0.1', v6: 'fd00::1', node: 'host' },
        allow: [
          { to: '10.0.0.0/8', port: 443 },
          { to: 'fd00::/8', port: 0 },
        ],
      }),
    ).toEqual([]);
  });

  it('checks what it may reach', () => {
    const allow = [
      { to: '10.0.0.1/8', port: 70_000 },
      { to: 'example.com', port: 1 },
    ];
    expect(fieldsOf({ allow })).toEqual(['allow', 'allow', 'allow']);
    expect(fieldsOf({ allow: Array.from({ length: 65 }, () => ({ to: '10.0.0.1/32', port: 1 })) })).toEqual(['allow']);
  });

  it('names all faults at once', () => {
    expect(
      fieldsOf({
        id: '../x',
        image: '',
        coreLimit: 5000,
        servicePort: 70_000,
        hosts: { 'a b': '1.2.3.4' },
        secrets: { '..': new Uint8Array() },
      }),
    ).toEqual(['id', 'image', 'core_limit', 'service_port', 'secrets', 'hosts']);
  });

  it.each(['', 'A', '-a', 'a_b', 'a/b', 'a.b', 'x'.repeat(64), 'a\n'])('refuses the id %j', (id) => {
    expect(fieldsOf({ id })).toEqual(['id']);
  });

  it.each(['-x', 'x-', 'a b', 'x'.repeat(64), 'a\n'])('refuses the hostname %j', (hostname) => {
    expect(fieldsOf({ hostname })).toEqual(['hostname']);
  });

  it.each(['0', '65534', '1000:1000', 'nobody', '_apt', 'nginx:0', '0:www-data'])('accepts the user %s', (user) => {
    expect(uprocFields({ user })).toEqual([]);
  });

  it.each(['65535', '1:65535', ':', '1:', ':1', 'a:b:c', 'a b', '-1', '../x'])('refuses the user %j', (user) => {
    expect(uprocFields({ user })).toEqual(['uproc.user']);
  });

  it('refuses what execve or the environment cannot carry', () => {
    expect(uprocFields({ args: ['a\0b'] })).toEqual(['uproc.args']);
    expect(uprocFields({ args: [''] })).toEqual(['uproc.args']);
    expect(uprocFields({ args: ['x'.repeat(131_072)] })).toEqual(['uproc.args']);
    expect(uprocFields({ env: { '': '1' } })).toEqual(['uproc.env']);
    expect(uprocFields({ env: { 'a=b': '1' } })).toEqual(['uproc.env']);
    expect(uprocFields({ env: { a: '\0' } })).toEqual(['uproc.env']);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`V${index}`, 'x'.repeat(60_000)]));
    expect(uprocFields({ env: many })).toEqual(['uproc.env']);
    expect(uprocFields({ cwd: 'relative' })).toEqual(['uproc.cwd']);
    expect(uprocFields({ cwd: '/a\nb' })).toEqual(['uproc.cwd']);
  });

  it('keeps numbers within what the host takes', () => {
    expect(fieldsOf({ memoryLimitBytes: 1n })).toEqual(['memory_limit_bytes']);
    expect(fieldsOf({ memoryLimitBytes: 1n << 51n })).toEqual(['memory_limit_bytes']);
    expect(fieldsOf({ pidsLimit: 1 })).toEqual(['pids_limit']);
    expect(fieldsOf({ cpuLimitMillicores: 1n })).toEqual(['cpu_limit_millicores']);
    expect(fieldsOf({ listenDeadlineMs: 3_600_001 })).toEqual(['listen_deadline_ms']);
    expect(fieldsOf({ gracePeriodMs: Number.NaN })).toEqual(['grace_period_ms']);
  });

  it('refuses secrets that are too large without showing them', () => {
    const faults = validateInstanceRequest({ ...valid, secrets: { a: Buffer.from('hush'.repeat(300_000)) } });
    expect(faults.map((fault) => fault.field)).toEqual(['secrets']);
    expect(JSON.stringify(faults)).not.toContain('hush');
  });

  it('shortens hostile names in its messages', () => {
    const [fault] = validateInstanceRequest({ ...valid, hosts: { ['x '.repeat(10_000)]: '1.2.3.4' } });
    expect(fault?.message.length).toBeLessThan(250);
  });
});

describe('resolveInstanceSpec', () => {
  it('fills in what was left open', () => {
    const spec = resolveInstanceSpec({ ...valid, secrets: { a: new Uint8Array(1) } }, limits);
    expect(spec).toMatchObject({
      hostname: 'aes-1',
      coreLimit: 1,
      memoryLimitBytes: 268_435_456n,
      pidsLimit: 512,
      servicePort: 8080,
      listenDeadlineMs: 60_000,
      gracePeriodMs: 30_000,
    });
    expect(spec).not.toHaveProperty('secrets');
  });

  it('lowers a core limit to what the node has', () => {
    expect(resolveInstanceSpec({ ...valid, coreLimit: 64 }, limits).coreLimit).toBe(8);
  });

  it('keeps what was said', () => {
    const spec = resolveInstanceSpec({ ...valid, hostname: 'fn', coreLimit: 4, servicePort: 9000 }, limits);
    expect(spec).toMatchObject({ hostname: 'fn', coreLimit: 4, servicePort: 9000 });
  });
});

describe('cpuQuotaMillicores', () => {
  it('follows the core limit unless it is named', () => {
    expect(cpuQuotaMillicores({ coreLimit: 2, cpuLimitMillicores: 0n })).toBe(2000n);
    expect(cpuQuotaMillicores({ coreLimit: 2, cpuLimitMillicores: 500n })).toBe(500n);
  });
});
