// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, type Address } from '@junctiond/config';
import { functionV1 } from '@junctiond/contracts';
import { createClient } from './client.js';
import { readRpcCredentials, type RpcCredentials } from './credentials.js';
import { implement } from './rpc-call.js';
import { serve } from './server.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rpc-cred-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const none = {
  rpcTokenFile: undefined,
  rpcTlsCaFile: undefined,
  rpcTlsCertFile: undefined,
  rpcTlsKeyFile: undefined,
};

const write = (name: string, content: string): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};

describe('readRpcCredentials', () => {
  it('is empty when no file is named', () => expect(readRpcCredentials(none)).toEqual({}));

  it('takes a token without its line end', () => {
    const { token } = readRpcCredentials({ ...none, rpcTokenFile: write('token', 'a-token-of-good-length\n') });
    expect(token?.reveal()).toBe('a-token-of-good-length');
  });

  it.each([
    ['short', 'shorter than 16 characters'],
    ['two lines of text\nand more', 'is not one line'],
    ['', 'is not one line'],
  ])('refuses the token %j', (content, fault) => {
    expect(() => readRpcCredentials({ ...none, rpcTokenFile: write('token', content) })).toThrow(fault);
  });

  it('names every file that cannot be read', () => {
    const files = { ...none, rpcTokenFile: '/nowhere/token', rpcTlsCaFile: '/nowhere/ca' };
    expect(() => readRpcCredentials(files)).toThrow(/\/nowhere\/token[^]*\/nowhere\/ca/);
  });
});

describe('mTLS', () => {
  /** A certificate of an authority of its own for localhost. */
  const issue = (name: string): NonNullable<RpcCredentials['tls']> => {
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`);
    openssl('req', ...key, '-subj', '/CN=localhost', '-keyout', `${name}.key`, '-out', `${name}.csr`);
    write('ext', 'subjectAltName=DNS:localhost');
    const signer = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-out', `${name}.pem`);
    const read = (file: string) => readFileSync(join(folder, file));
    return { ca: read(`${name}-ca.pem`), cert: read(`${name}.pem`), key: read(`${name}.key`) };
  };

  it('lets in certificates of the same authority and no others', async () => {
    const token = new Secret('a-token-of-good-length');
    const ours = issue('ours');
    const server = await serve({
      address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      credentials: { token, tls: ours },
      services: [
        implement(functionV1.InfoServiceService, {
          getInfo: async () => ({ provider: 'p', orchestration: 'o', version: 'v', sha: 's', arch: 'a' }),
        }),
      ],
      onDefect: () => undefined,
    });
    // TLS names are host names: RFC 6066 knows no addresses.
    const address = { ...(server.address as Address & { kind: 'tcp' }), host: 'localhost' };
    const ask = async (credentials: RpcCredentials): Promise<string> => {
      const client = createClient(functionV1.InfoServiceService, address, { credentials, deadlineMs: 5_000 });
      try {
        return (await client.getInfo({})).provider;
      } finally {
        client.close();
      }
    };
    expect(await ask({ token, tls: ours })).toBe('p');
    await expect(ask({ token, tls: { ...issue('theirs'), ca: ours.ca } })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await expect(ask({ token })).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(ask({ tls: ours })).rejects.toMatchObject({ kind: 'unauthenticated' });
    await server.stop(0);
  });
});
