// SPDX-License-Identifier: Apache-2.0
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayFixture } from './gateway.fixture.js';

describe('the API', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start();
  });
  afterAll(async () => {
    await gateway.dispose();
  });

  it('listens on a socket that only its user may open', () => {
    expect(statSync(gateway.config.paths.gatewayApiSocket).mode & 0o777).toBe(0o600);
  });

  describe('without credentials', () => {
    it.each([
      ['GET', '/system/functions'],
      ['HEAD', '/system/functions'],
      ['POST', '/system/functions'],
      ['GET', '/system/functions/'],
      // The router decodes the path before it looks up the route.
      ['GET', '/%73ystem/functions'],
      ['GET', '/system/function/echo'],
      ['GET', '/system/info'],
      ['GET', '/system/logs?name=echo'],
      ['GET', '/system/secrets'],
      ['POST', '/system/alert'],
      ['GET', '/ui'],
      ['GET', '/ui/'],
      ['GET', '/ui/index.html'],
      ['DELETE', '/async-function/some-call'],
    ])('refuses %s %s', async (method, path) => {
      const answer = await gateway.send(method, path, { anonymous: true });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Basic realm="Restricted"');
      if (method !== 'HEAD') expect(answer.text).toBe('invalid credentials');
    });

    it('refuses before it reads the body', async () => {
      const answer = await gateway.open('POST', '/system/functions', {
        anonymous: true,
        headers: { 'content-length': '1000' },
      });
      expect(answer.statusCode).toBe(401);
      answer.destroy();
    });

    it('answers what is open to all', async () => {
      expect(await gateway.send('GET', '/healthz', { anonymous: true })).toMatchObject({ status: 200, text: 'OK' });
      const home = await gateway.send('GET', '/', { anonymous: true });
      expect(home.status).toBe(307);
      expect(home.headers.location).toBe('/ui/');
      expect((await gateway.send('POST', '/async-function/echo', { anonymous: true })).status).toBe(501);
    });
  });

  it.each([
    ['Basic', () => Buffer.from(`admin:${gateway.password}`).toString('base64'), 200],
    ['basic', () => Buffer.from(`admin:${gateway.password}`).toString('base64'), 200],
    ['Bearer', () => gateway.password, 200],
    ['Basic', () => Buffer.from(`admin:${gateway.password}x`).toString('base64'), 401],
    ['Basic', () => Buffer.from(`root:${gateway.password}`).toString('base64'), 401],
    ['Basic', () => Buffer.from('admin:').toString('base64'), 401],
    ['Basic', () => gateway.password, 401],
    ['Bearer', () => `${gateway.password}x`, 401],
    ['Digest', () => gateway.password, 401],
    ['', () => '', 401],
  ])('judges the header "%s …"', async (scheme, value, status) => {
    const answer = await gateway.send('GET', '/system/functions', {
      headers: { authorization: `${scheme} ${value()}`.trim() },
    });
    expect(answer.status).toBe(status);
  });

  it('answers 404 to an unknown path and names it', async () => {
    for (const anonymous of [true, false]) {
      expect(await gateway.send('GET', '/nothing/here?x=1', { anonymous })).toMatchObject({
        status: 404,
        text: 'gateway: there is nothing at /nothing/here',
      });
    }
  });

  it.each([
    ['PATCH', '/system/functions', 'DELETE, GET, HEAD, POST, PUT'],
    ['GET', '/system/alert', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['PUT', '/system/function/echo', 'GET, HEAD'],
    ['GET', '/system/scale-function/echo', 'POST'],
    ['POST', '/system/namespace/dev', 'DELETE, GET, HEAD, PUT'],
    ['GET', '/async-function/echo', 'DELETE, POST'],
  ])('answers 405 to %s %s', async (method, path, allowed) => {
    const answer = await gateway.send(method, path);
    expect(answer).toMatchObject({
      status: 405,
      text: `gateway: ${method} is not allowed at ${path}, only ${allowed}`,
    });
    expect(answer.headers['allow']).toBe(allowed);
  });

  it('answers 400 to a path that cannot be decoded', async () => {
    const answer = await gateway.send('GET', '/system/function/%zz');
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('/system/function/%zz');
  });

  it('answers 501 to what comes later', async () => {
    expect((await gateway.send('GET', '/ui/')).status).toBe(501);
    const queued = await gateway.send('POST', '/async-function/echo/path');
    expect(queued).toMatchObject({ status: 501, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(queued.text).toContain('asynchronous invocations are not part of this version');
    expect((await gateway.send('DELETE', '/async-function/some-call')).status).toBe(501);
  });

  it('says who it is', async () => {
    const { status, json } = await gateway.send('GET', '/system/info');
    expect(status).toBe(200);
    expect(json).toEqual({
      provider: { provider: 'junctiond', orchestration: 'junction', version: { sha: 'abc', release: '0.1.0' } },
      version: { sha: expect.stringMatching(/.+/), release: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
      arch: 'x86_64',
    });
  });

  it('takes headers of half a megabyte', async () => {
    const answer = await gateway.send('GET', '/healthz', { headers: { 'x-large': 'x'.repeat(500_000) } });
    expect(answer.status).toBe(200);
  });

  it('logs no credentials', () => {
    expect(gateway.logLines.length).toBeGreaterThan(0);
    expect(JSON.stringify(gateway.logLines)).not.toContain(gateway.password);
  });

  it('asks for no credentials when told so', async () => {
    const open = await GatewayFixture.start({ JUNCTION_GATEWAY_BASIC_AUTH: 'false' });
    expect((await open.send('GET', '/system/functions', { anonymous: true })).status).toBe(200);
    await open.dispose();
  });
});
