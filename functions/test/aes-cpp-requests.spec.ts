// SPDX-License-Identifier: Apache-2.0
// The C++ function brings its own HTTP server: what it refuses, and how it takes a request in pieces.
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exchangeRaw, freePort } from '@junctiond/testing';
import { RunningProgram, builtProgram } from './running-program.fixture.ts';

let server: RunningProgram;

beforeAll(async () => {
  const port = await freePort();
  server = await new RunningProgram([builtProgram('aes-cpp')], { PORT: String(port) }, port).listening();
});
afterAll(() => server.kill());

function post(headers: string, body = ''): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;
}

describe('the HTTP server of aes-cpp', () => {
  it.each([
    ['two different lengths', post('Content-Length: 1\r\nContent-Length: 2\r\n', 'ab'), 400],
    ['a length and chunks', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['a length with a sign', post('Content-Length: +1\r\n', 'a'), 400],
    ['a length with a second value', post('Content-Length: 1, 1\r\n', 'a'), 400],
    ['a length past 64 bits', post('Content-Length: 99999999999999999999\r\n'), 400],
    ['a body past its limit', post('Content-Length: 67108865\r\n'), 413],
    ['chunks past the body limit', post('Transfer-Encoding: chunked\r\n', '4000001\r\n'), 413],
    ['a chunk size past 64 bits', post('Transfer-Encoding: chunked\r\n', 'ffffffffffffffffff\r\n'), 400],
    ['a chunk without its line end', post('Transfer-Encoding: chunked\r\n', '3\r\nabcd\r\n0\r\n\r\n'), 400],
    ['another transfer coding', post('Transfer-Encoding: gzip, chunked\r\n'), 501],
    ['an unknown expectation', post('Expect: the-unexpected\r\n'), 417],
    ['a space before a colon', post('Content-Length : 1\r\n', 'a'), 400],
    ['a header without a colon', post('no colon\r\n'), 400],
    ['no Host', 'POST / HTTP/1.1\r\n\r\n', 400],
    ['no target', 'POST HTTP/1.1\r\n\r\n', 400],
    ['a space in the target', 'POST /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['another version', 'POST / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['a head past its limit', post(`X: ${'x'.repeat(70_000)}\r\n`), 431],
  ])('refuses %s and ends the connection', async (_, bytes, status) => {
    expect(await exchangeRaw(server.port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close`));
  });

  it('takes a request byte by byte', async () => {
    const socket = connect(server.port, '127.0.0.1').setNoDelay(true);
    let received = '';
    socket.on('data', (data) => (received += data.toString()));
    await once(socket, 'connect');
    for (const byte of post(
      'Transfer-Encoding: chunked\r\nConnection: close\r\n',
      '2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: r\r\n\r\n',
    )) {
      await new Promise((resolve) => socket.write(byte, resolve));
    }
    await once(socket, 'close');
    expect(received.split('\r\n\r\n')[1]).toBe('a7c358');
  });

  it('ends the connection after a request of HTTP/1.0', async () => {
    const received = await exchangeRaw(server.port, 'POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc');
    expect(received).toContain('Connection: close');
    expect(received.endsWith('a7c358')).toBe(true);
  });

  it('answers a HEAD without a body', async () => {
    const received = await exchangeRaw(server.port, 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(received).toMatch(/^HTTP\/1\.1 405 [^]*\r\n\r\n$/);
  });

  it('goes on with other clients while one does not read its answers', async () => {
    const deaf = connect(server.port, '127.0.0.1').pause();
    deaf.on('error', () => undefined);
    await once(deaf, 'connect');
    const large = post(`Content-Length: ${8 << 20}\r\n`, 'x'.repeat(8 << 20));
    await new Promise((resolve) => deaf.write(large, resolve));
    const received = await exchangeRaw(server.port, post('Content-Length: 3\r\nConnection: close\r\n', 'abc'));
    expect(received.endsWith('a7c358')).toBe(true);
    deaf.destroy();
  });
});
