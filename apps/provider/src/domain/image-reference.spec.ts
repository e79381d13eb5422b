// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { imageReferenceFault, pinImage } from './image-reference.js';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('imageReferenceFault', () => {
  it.each([
    'aes',
    'aes:latest',
    'functions/aes:0.1',
    'ghcr.io/openfaas/figlet:latest',
    'localhost/aes',
    'localhost:5000/aes',
    '127.0.0.1:5000/a/b/c:v1.2_3-x',
    '[::1]:5000/aes',
    `aes@${DIGEST}`,
    `ghcr.io/openfaas/figlet:latest@${DIGEST}`,
    'my__image',
    'a.b-c--d/e',
    '/srv/images/aes',
    '/srv/images/aes:latest',
    'oci:/srv/images/aes',
    'oci:/srv/images/aes:latest',
    `oci:/srv/images/aes:latest@${DIGEST}`,
    'oci-archive:/srv/aes.tar',
    'docker-archive:/srv/aes.tar:v1',
  ])('takes %s', (image) => {
    expect(imageReferenceFault(image)).toBeUndefined();
  });

  it.each([
    ' ',
    'AES',
    'aes:',
    'aes:a:b',
    ':latest',
    '/',
    'a//b',
    'a/',
    'http://host/aes',
    'host:port/aes',
    'aes@sha256:123',
    `aes@md5:${'0'.repeat(32)}`,
    'aes latest',
    'aes\nlatest',
    'oci:relative',
    'oci:/a b',
    'oci:/a/../b',
    'aes:-x',
    'a'.repeat(1_025),
  ])('refuses %j', (image) => {
    expect(imageReferenceFault(image)).toEqual(expect.any(String));
  });

  it('calls an empty one missing', () => {
    expect(imageReferenceFault('')).toBe('is missing');
  });
});

describe('pinImage', () => {
  it('names the digest that was found', () => {
    expect(pinImage('aes:latest', DIGEST)).toBe(`aes:latest@${DIGEST}`);
  });

  it('leaves a reference alone that names one, or where none is known', () => {
    expect(pinImage(`aes@${DIGEST}`, `sha256:${'f'.repeat(64)}`)).toBe(`aes@${DIGEST}`);
    expect(pinImage('aes', '')).toBe('aes');
  });
});
