// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { formatImageReference, parseImageReference } from './image-reference.js';

const digest = `sha256:${'a1'.repeat(32)}`;
const parsed = (text: string): unknown => {
  const result = parseImageReference(text);
  return result.ok ? result.value : result.error;
};

describe('parseImageReference', () => {
  it.each([
    ['redis', { kind: 'registry', registry: 'docker.io', repository: 'library/redis', tag: 'latest' }],
    ['redis:7.2', { kind: 'registry', registry: 'docker.io', repository: 'library/redis', tag: '7.2' }],
    ['user/app', { kind: 'registry', registry: 'docker.io', repository: 'user/app', tag: 'latest' }],
    ['localhost/app:1', { kind: 'registry', registry: 'localhost', repository: 'app', tag: '1' }],
    ['127.0.0.1:5000/a/b__c:v1', { kind: 'registry', registry: '127.0.0.1:5000', repository: 'a/b__c', tag: 'v1' }],
    ['[::1]:5000/a', { kind: 'registry', registry: '[::1]:5000', repository: 'a', tag: 'latest' }],
    [`ghcr.io/x/y:1@${digest}`, { kind: 'registry', registry: 'ghcr.io', repository: 'x/y', tag: '1', digest }],
    ['oci:/srv/aes', { kind: 'oci', path: '/srv/aes' }],
    ['/srv/aes', { kind: 'oci', path: '/srv/aes' }],
    ['/srv/aes:latest', { kind: 'oci', path: '/srv/aes', tag: 'latest' }],
    [`oci:/srv/a es:v1@${digest}`, { kind: 'oci', path: '/srv/a es', tag: 'v1', digest }],
    ['oci:/srv/x:docker.io/library/redis:7', { kind: 'oci', path: '/srv/x', tag: 'docker.io/library/redis:7' }],
    ['oci-archive:/srv/aes.tar:v2', { kind: 'oci-archive', path: '/srv/aes.tar', tag: 'v2' }],
    ['docker-archive:/srv/aes.tar', { kind: 'docker-archive', path: '/srv/aes.tar' }],
  ])('reads %s', (text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ['', 'the name must be'],
    ['UPPER', 'the name must be'],
    ['a//b', 'the name must be'],
    ['../etc', "not a registry's host name"],
    ['-o/x', 'the name must be'],
    ['host.io/', 'the name must be'],
    ['a b', 'the name must be'],
    ['a:', 'the tag is not valid'],
    ['a:-x', 'the tag is not valid'],
    ['-x.io/a', "not a registry's host name"],
    ['a@sha256:12', '64 hexadecimal digits'],
    [`a@md5:${'0'.repeat(32)}`, '64 hexadecimal digits'],
    ['oci:relative', 'must be absolute'],
    ['oci:', 'must be absolute'],
    ['oci:/a\nb', 'must be absolute'],
    ['oci:/a:', 'the tag is not valid'],
    ['docker-archive:/a.tar:x', 'takes no tag'],
    ['docker://redis', "not a registry's host name"],
    ['x'.repeat(5000), 'at most 4096 characters'],
    [`a/${'x'.repeat(300)}`, 'the name must be'],
  ])('refuses %j', (text, reason) => {
    expect(parsed(text)).toEqual(expect.stringContaining(reason));
  });

  it('is read again from its canonical text', () => {
    for (const text of [
      'redis',
      `ghcr.io/x/y:1@${digest}`,
      '/srv/aes',
      'oci-archive:/a.tar:v1',
      'docker-archive:/a.tar',
    ]) {
      const first = parseImageReference(text);
      expect(first.ok && parseImageReference(formatImageReference(first.value))).toEqual(first);
    }
  });
});
