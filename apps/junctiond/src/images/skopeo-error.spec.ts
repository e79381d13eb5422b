// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { skopeoError } from './skopeo-error.js';

const failed = (message: string, hasTimedOut = false): Parameters<typeof skopeoError>[1] => ({
  exitCode: 1,
  stdout: Buffer.alloc(0),
  stderr: `warning\ntime="2026-11-23T19:05:21Z" level=fatal msg="${message}"\n`,
  hasTimedOut,
  hasOverflowed: false,
});

describe('skopeoError', () => {
  // Messages that skopeo 1.9.3 was seen to print.
  it.each([
    ['reading manifest 2 in 127.0.0.1:15999/foo: manifest unknown: manifest unknown', 'not_found'],
    ['initializing source oci:oci:nosuch: no descriptor found for reference \\"nosuch\\"', 'not_found'],
    ['initializing source docker-archive:/x: opening file \\"/x\\": open /x: no such file or directory', 'not_found'],
    [
      'choosing image instance: no image found in manifest list for architecture riscv, variant \\"\\", OS linux',
      'not_found',
    ],
    ['pinging container registry 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused', 'unavailable'],
    ['pinging container registry x.invalid: dial tcp: lookup x.invalid on 10.0.0.1:53: no such host', 'unavailable'],
    ['pinging container registry h: http: server gave HTTP response to HTTPS client', 'failed_precondition'],
    ['Get \\"https://h/v2/\\": x509: certificate signed by unknown authority', 'failed_precondition'],
    ['unable to retrieve auth token: invalid username/password: unauthorized', 'permission_denied'],
    ['reading manifest latest in docker.io/x/y: requested access to the resource is denied', 'permission_denied'],
    ['open /root/x: permission denied', 'permission_denied'],
    ['writing blob: write /var/x: no space left on device', 'resource_exhausted'],
    ['writing blob: happened during read: Digest did not match, expected sha256:8, got sha256:3', 'invalid_argument'],
    [
      'creating temp directory: untarring file \\"/var/tmp/oci1\\": archive/tar: invalid tar header',
      'invalid_argument',
    ],
    ['something new', 'unavailable'],
  ])('knows %j as %s', (message, kind) => {
    const error = skopeoError('docker://host/name:1', failed(message));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain('image host/name:1: ');
    expect(error.message).toContain(message.replaceAll('\\"', '"'));
  });

  it('says when it took too long', () => {
    expect(skopeoError('oci:/x', failed('signal: killed', true)).kind).toBe('deadline_exceeded');
  });

  it('shortens what is too long to show', () => {
    expect(skopeoError('oci:/x', failed('x'.repeat(5000))).message.length).toBeLessThan(600);
  });
});
