// SPDX-License-Identifier: Apache-2.0
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { ConfigError } from './config-error.js';
import {
  address,
  bytes,
  choice,
  duration,
  flag,
  integer,
  list,
  optional,
  path,
  port,
  secret,
  text,
  url,
} from './fields.js';
import { defineConfig, loadConfig, type ConfigSchema, type Fields } from './schema.js';
import { checkRpcCredentials, providerAddressField, redisUrlField, rpcFields } from './shared-fields.js';

const schema = defineConfig({
  name: 'example-app',
  fields: {
    host: text({
      env: 'JUNCTION_EXAMPLE_APP_HOST',
      default: 'localhost',
      pattern: /^[a-z]+$/,
      shape: 'a-z',
      doc: 'Host.',
    }),
    port: port({ env: 'JUNCTION_EXAMPLE_APP_PORT', default: ({ ports }) => ports.gateway, doc: 'Port.' }),
    count: integer({ env: 'JUNCTION_EXAMPLE_APP_COUNT', default: 3, min: 1, max: 9, doc: 'Count.' }),
    waitMs: duration({ env: 'JUNCTION_EXAMPLE_APP_WAIT', default: 1_500, min: 1, doc: 'Wait.' }),
    sizeBytes: bytes({ env: 'JUNCTION_EXAMPLE_APP_SIZE', default: 1_024, max: 2 ** 20, doc: 'Size.' }),
    isOn: flag({ env: 'JUNCTION_EXAMPLE_APP_ON', default: false, doc: 'On.' }),
    mode: choice({ env: 'JUNCTION_EXAMPLE_APP_MODE', of: ['slow', 'fast'], default: 'slow', doc: 'Mode.' }),
    file: optional(path({ env: 'JUNCTION_EXAMPLE_APP_FILE', doc: 'File.' })),
    names: list({ env: 'JUNCTION_EXAMPLE_APP_NAMES', default: [], doc: 'Names.' }),
    endpoint: optional(url({ env: 'JUNCTION_EXAMPLE_APP_URL', protocols: ['http:'], doc: 'URL.' })),
    socket: address({
      env: 'JUNCTION_EXAMPLE_APP_SOCKET',
      default: ({ paths }) => ({ kind: 'unix', path: paths.providerSocket }),
      doc: 'Socket.',
    }),
  },
  checks: [({ count, mode }) => (count > 5 && mode === 'slow' ? 'COUNT above 5 needs MODE fast' : undefined)],
});

const faultsOf = <F extends Fields>(env: Record<string, string>, of: ConfigSchema<F>): readonly string[] => {
  try {
    loadConfig(of, env);
  } catch (error) {
    return (error as ConfigError).faults;
  }
  throw new Error('there were no faults');
};

describe('loadConfig', () => {
  it('derives what is not set from the name of the stack', () => {
    const config = loadConfig(schema, {
      JUNCTION_STACK: 'test-1',
      JUNCTION_PORT_BASE: '9000',
      JUNCTION_EXAMPLE_APP_HOST: '',
    });
    expect(config).toMatchObject({
      host: 'localhost',
      port: 9000,
      count: 3,
      waitMs: 1_500,
      sizeBytes: 1_024,
      isOn: false,
    });
    expect(config.socket).toEqual({ kind: 'unix', path: '/run/junctiond/test-1/provider.sock' });
    expect(config.file).toBeUndefined();
    expect(config.paths).toMatchObject({
      stack: 'test-1',
      stateDir: '/var/lib/junctiond/test-1',
      basicAuthPasswordFile: '/var/lib/junctiond/test-1/auth/basic-auth-password',
      cgroup: 'junctiond-test-1',
    });
  });

  it('reads every kind of value', () => {
    const config = loadConfig(schema, {
      JUNCTION_RUN_DIR: '/tmp/run',
      JUNCTION_EXAMPLE_APP_HOST: 'other',
      JUNCTION_EXAMPLE_APP_PORT: '0',
      JUNCTION_EXAMPLE_APP_COUNT: '9',
      JUNCTION_EXAMPLE_APP_WAIT: '1m0.5s',
      JUNCTION_EXAMPLE_APP_SIZE: '64Ki',
      JUNCTION_EXAMPLE_APP_ON: 'true',
      JUNCTION_EXAMPLE_APP_MODE: 'fast',
      JUNCTION_EXAMPLE_APP_FILE: '/etc/x',
      JUNCTION_EXAMPLE_APP_NAMES: 'a, b,,c',
      JUNCTION_EXAMPLE_APP_URL: 'http://collector:4318',
      JUNCTION_EXAMPLE_APP_SOCKET: '[::1]:9001',
    });
    expect(config).toEqual({
      paths: expect.objectContaining({ runDir: '/tmp/run', providerSocket: '/tmp/run/provider.sock' }),
      host: 'other',
      port: 0,
      count: 9,
      waitMs: 60_500,
      sizeBytes: 65_536,
      isOn: true,
      mode: 'fast',
      file: '/etc/x',
      names: ['a', 'b', 'c'],
      endpoint: 'http://collector:4318',
      socket: { kind: 'tcp', host: '::1', port: 9001 },
    });
  });

  it('reports all faults at once, each with its variable and value', () => {
    const env = {
      JUNCTION_STACK: 'Bad Name',
      JUNCTION_EXAMPLE_APP_HOST: 'A',
      JUNCTION_EXAMPLE_APP_PORT: '65536',
      JUNCTION_EXAMPLE_APP_COUNT: 'many',
      JUNCTION_EXAMPLE_APP_WAIT: '10',
      JUNCTION_EXAMPLE_APP_SIZE: '1Gi',
      JUNCTION_EXAMPLE_APP_ON: 'yes',
      JUNCTION_EXAMPLE_APP_MODE: 'medium',
      JUNCTION_EXAMPLE_APP_FILE: 'relative',
      JUNCTION_EXAMPLE_APP_URL: 'ftp://user:hunter2@host',
      JUNCTION_EXAMPLE_APP_SOCKET: 'unix:relative',
      JUNCTION_EXAMPLE_APP_PROT: '1',
    };
    const faults = faultsOf(env, schema);
    expect(faults).toEqual([
      'JUNCTION_STACK is "Bad Name", expected a-z, then up to 15 of a-z 0-9 -',
      'JUNCTION_EXAMPLE_APP_HOST is "A", expected a-z',
      'JUNCTION_EXAMPLE_APP_PORT is 65536, expected 0 to 65535',
      'JUNCTION_EXAMPLE_APP_COUNT is "many", expected a whole number',
      'JUNCTION_EXAMPLE_APP_WAIT is "10", expected a duration such as 500ms, 10s or 1m30s',
      'JUNCTION_EXAMPLE_APP_SIZE is 1Gi, expected at most 1Mi',
      'JUNCTION_EXAMPLE_APP_ON is "yes", expected true or false',
      'JUNCTION_EXAMPLE_APP_MODE is "medium", expected one of slow, fast',
      'JUNCTION_EXAMPLE_APP_FILE is "relative", expected an absolute path',
      'JUNCTION_EXAMPLE_APP_URL is not a URL with http:',
      'JUNCTION_EXAMPLE_APP_SOCKET is "unix:relative", expected unix:/absolute/path',
      'JUNCTION_EXAMPLE_APP_PROT is not a setting of example-app',
    ]);
    expect(() => loadConfig(schema, env)).toThrow('example-app: 12 configuration faults:\n  JUNCTION_STACK');
  });

  it('looks at values together once each is right by itself', () => {
    expect(faultsOf({ JUNCTION_EXAMPLE_APP_COUNT: '6' }, schema)).toEqual(['COUNT above 5 needs MODE fast']);
    expect(loadConfig(schema, { JUNCTION_EXAMPLE_APP_COUNT: '6', JUNCTION_EXAMPLE_APP_MODE: 'fast' }).count).toBe(6);
  });

  it('refuses socket paths that the host cannot bind', () => {
    const env = { JUNCTION_EXAMPLE_APP_SOCKET: `unix:/${'x'.repeat(107)}` };
    expect(faultsOf(env, schema)[0]).toContain('longer than the 107 bytes');
  });

  it('demands what has no default, and never shows a secret', () => {
    const withSecret = defineConfig({
      name: 'app',
      fields: { key: secret({ env: 'JUNCTION_APP_KEY', doc: 'The key.' }) },
    });
    expect(faultsOf({}, withSecret)).toEqual(['JUNCTION_APP_KEY is not set: The key.']);
    const { key } = loadConfig(withSecret, { JUNCTION_APP_KEY: 'hunter2' });
    expect([String(key), JSON.stringify({ key }), inspect({ key })].join()).not.toContain('hunter2');
    expect(key.reveal()).toBe('hunter2');
  });
});

describe('checkRpcCredentials', () => {
  const rpc = defineConfig({
    name: 'rpc-app',
    fields: { ...rpcFields, address: providerAddressField, redisUrl: redisUrlField },
    checks: [(config) => checkRpcCredentials(config, [config.address])],
  });

  it('asks for a token on TCP only', () => {
    expect(loadConfig(rpc, {}).redisUrl).toBe('unix:/run/junctiond/junction/redis.sock');
    const env = { JUNCTION_PROVIDER_ADDRESS: '10.0.0.1:9000' };
    expect(faultsOf(env, rpc)).toEqual(['JUNCTION_RPC_TOKEN_FILE is not set: gRPC on TCP needs a token']);
    expect(loadConfig(rpc, { ...env, JUNCTION_RPC_TOKEN_FILE: '/etc/token' }).rpcTokenFile).toBe('/etc/token');
  });

  it('wants all files of mTLS or none', () => {
    expect(faultsOf({ JUNCTION_RPC_TLS_CA_FILE: '/ca' }, rpc)[0]).toContain('must be set together');
  });
});
