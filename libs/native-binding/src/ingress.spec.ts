// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { exchange, freePort, until } from '@junctiond/testing';
import {
  afterThisTest,
  CollectedEvents,
  replica,
  route,
  startNic,
  startServer,
  testAddonFile,
  testFolder,
  testOptions,
} from './addon.fixture.js';
import { EventQueue } from './event-queue.js';
import { Ingress } from './ingress.js';
import type { IngressOptions, Route } from './ingress.types.js';

interface Started {
  ingress: Ingress;
  events: CollectedEvents;
  url: (path: string) => string;
}

function start(options: Partial<IngressOptions> = {}): Started {
  const events = new CollectedEvents();
  const ingress = Ingress.start(testOptions(options), events);
  afterThisTest(() => ingress.stop());
  return { ingress, events, url: (path) => `http://127.0.0.1:${ingress.port}${path}` };
}

function snapshot(...upserts: Route[]): Parameters<Ingress['applyRoutes']>[0] {
  return { snapshot: true, version: 1n, upserts, removes: [] };
}

describe('Ingress', () => {
  beforeAll(() => {
    testAddonFile();
  });

  it('serves a function from its routes', async () => {
    const port = await startServer((request, response) => {
      response.setHeader('x-seen', `${request.method} ${request.url}`);
      request.pipe(response);
    });
    const { ingress, url } = start();
    ingress.applyRoutes(snapshot(route('echo.openfaas-fn', [replica(port)])));
    const answer = await exchange(url('/function/echo/a%2Fb?c=d'), {
      body: 'hello',
      headers: { 'x-call-id': 'call-7' },
    });
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('hello');
    expect(answer.headers['x-seen']).toBe('POST /a%2Fb?c=d');
    expect(answer.headers['x-call-id']).toBe('call-7');
  });

  it('tells the event queue which instance it wakes', async () => {
    const nic = await startNic();
    const eventQueuePath = join(testFolder(), 'events');
    using queue = EventQueue.create(eventQueuePath);
    // The NIC sends segments back, so that no connection comes about.
    const { ingress, url } = start({ eventQueuePath, connectTimeoutMs: 50 });
    ingress.applyRoutes(
      snapshot(route('f.openfaas-fn', [{ ...replica(await freePort()), linkPath: nic.path, instanceNumber: 77 }])),
    );
    await until('an event', async () => {
      expect((await exchange(url('/function/f'))).status).toBe(502);
      return queue.take();
    }).then((event) => expect(event).toEqual({ instance: 77, queuePair: 0 }));
    expect(ingress.metrics().links).toMatchObject({ attached: 1, fallbacks: 0 });
  });

  it('knows routes that are applied in the same turn from the first request on', async () => {
    const port = await startServer((_, response) => response.end('there'));
    for (let i = 0; i < 20; ++i) {
      const { ingress, url } = start();
      ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port)])));
      expect((await exchange(url('/function/f'))).body.toString()).toBe('there');
    }
  });

  it('passes everything else to the API', async () => {
    const options = testOptions();
    await startServer((request, response) => response.end(`api ${request.url}`), options.apiSocketPath);
    const { url } = start(options);
    expect((await exchange(url('/system/info'), { method: 'GET' })).body.toString()).toBe('api /system/info');
  });

  it('answers 503 while the API is down', async () => {
    const { url } = start();
    const answer = await exchange(url('/system/info'), { method: 'GET' });
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ hop: 'api' });
  });

  it('holds a request until the first replica is ready, and asks for one once', async () => {
    const port = await startServer((_, response) => response.end('warm'));
    const { ingress, events, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [])));
    const answers = [exchange(url('/function/f')), exchange(url('/function/f'))];
    await until('both requests are held', () => ingress.metrics().held === 2);
    ingress.applyRoutes({
      snapshot: false,
      version: 2n,
      upserts: [route('f.openfaas-fn', [replica(port)])],
      removes: [],
    });
    expect((await Promise.all(answers)).map((answer) => answer.body.toString())).toEqual(['warm', 'warm']);
    expect(events.coldStarts).toEqual(['f.openfaas-fn']);
    expect(ingress.metrics()).toMatchObject({ held: 0, routesVersion: 2n });
  });

  it('answers held requests with the reason of a failed cold start, and asks again for the next', async () => {
    const { ingress, events, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [])));
    for (const round of [1, 2]) {
      const pending = exchange(url('/function/f'));
      await until('a replica is asked for', () => events.coldStarts.length === round);
      ingress.failHeld('f.openfaas-fn', 503, 'no "image" \u00e4');
      const answer = await pending;
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.body.toString())).toEqual({
        error: 'no "image" \u00e4',
        hop: 'provider',
        function: 'f.openfaas-fn',
      });
    }
  });

  it('tells which removed replicas are still in use', async () => {
    const release: (() => void)[] = [];
    const port = await startServer((_, response) => release.push(() => response.end()));
    const { ingress, events, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port, 'old')])));
    const pending = exchange(url('/function/f'));
    await until('the function has the request', () => release.length === 1);
    ingress.applyRoutes({ snapshot: false, version: 2n, upserts: [route('f.openfaas-fn', [])], removes: [] });
    expect(ingress.busyReplicas()).toEqual(['old']);
    release[0]?.();
    expect((await pending).status).toBe(200);
    await until('the replica is reported idle', () => events.idleReplicas.length > 0);
    expect(events.idleReplicas).toEqual(['old']);
    expect(ingress.busyReplicas()).toEqual([]);
  });

  it('counts per function, code and route', async () => {
    const port = await startServer((_, response) => response.writeHead(418).end());
    const { ingress, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port)])));
    await exchange(url('/function/f'));
    await exchange(url('/function/f'), { method: 'GET' });
    await exchange(url('/function/none'), { method: 'GET' });
    await until('all three are counted', () => ingress.metrics().http.length === 3);
    const metrics = ingress.metrics();
    expect(metrics.functions).toMatchObject([{ functionName: 'f.openfaas-fn', started: 2, inflight: 0 }]);
    const [code] = metrics.functions[0]?.codes ?? [];
    expect(code).toMatchObject({ code: 418, count: 2 });
    expect(code?.buckets.reduce((sum, n) => sum + n, 0)).toBe(2);
    expect(code?.buckets.length).toBe(metrics.bucketBoundsSeconds.length + 1);
    const http = metrics.http.map(({ method, path, status, count }) => `${method} ${path} ${status} ${count}`);
    expect(http.sort()).toEqual(['GET /function 404 1', 'GET /function 418 1', 'POST /function 418 1']);
  });

  it('refuses an update as a whole when a part of it is malformed', async () => {
    const port = await startServer((_, response) => response.end());
    const { ingress, url } = start();
    const good = route('good.openfaas-fn', [replica(port)]);
    const bad = route('bad.openfaas-fn', [{ ...replica(port), host: 'localhost' }]);
    expect(() => ingress.applyRoutes(snapshot(good, bad))).toThrow(
      expect.objectContaining({ code: 'ERR_NATIVE_OPTION', message: expect.stringContaining('localhost') as unknown }),
    );
    expect(ingress.metrics().routesVersion).toBe(0n);
    expect((await exchange(url('/function/good'))).status).toBe(404);
  });

  it('says why it cannot listen', async () => {
    const port = await freePort();
    start({ port });
    expect(() => start({ port })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    expect(() => start({ host: '192.0.2.1' })).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }));
  });

  it('lets a request under way finish in a drain, and refuses new connections', async () => {
    const release: (() => void)[] = [];
    const port = await startServer((_, response) => release.push(() => response.end('done')));
    const { ingress, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port)])));
    const pending = exchange(url('/function/f'));
    await until('the function has the request', () => release.length === 1);
    const drained = ingress.drain(20_000);
    await until('new connections are refused', async () => {
      const socket = connect(ingress.port, '127.0.0.1');
      return new Promise<boolean>((resolve) => {
        socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
      }).finally(() => socket.destroy());
    });
    release[0]?.();
    const answer = await pending;
    expect(answer.body.toString()).toBe('done');
    expect(answer.headers['connection']).toBe('close');
    expect(await drained).toEqual({ abandoned: 0 });
  });

  it('cuts off what is still under way at the deadline of a drain', async () => {
    const port = await startServer(() => undefined);
    const { ingress, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port)])));
    const pending = exchange(url('/function/f')).catch((error: unknown) => error);
    await until('the request is under way', () => ingress.metrics().functions[0]?.inflight === 1);
    expect(await ingress.drain(10)).toEqual({ abandoned: 1 });
    expect(await pending).toMatchObject({ code: 'ECONNRESET' });
  });

  it('settles a drain that a stop cuts short', async () => {
    const port = await startServer(() => undefined);
    const { ingress, url } = start();
    ingress.applyRoutes(snapshot(route('f.openfaas-fn', [replica(port)])));
    const pending = exchange(url('/function/f')).catch((error: unknown) => error);
    await until('the request is under way', () => ingress.metrics().functions[0]?.inflight === 1);
    const drained = ingress.drain(3_600_000);
    ingress.stop();
    await drained;
    expect(await pending).toMatchObject({ code: 'ECONNRESET' });
  });

  it('can be stopped twice, and then refuses work', () => {
    const { ingress } = start();
    ingress.stop();
    ingress.stop();
    expect(() => ingress.applyRoutes(snapshot())).toThrow(expect.objectContaining({ code: 'ERR_NATIVE_CLOSED' }));
    expect(ingress.busyReplicas()).toEqual([]);
  });

  it('refuses a status that is no failure', () => {
    const { ingress } = start();
    expect(() => ingress.failHeld('f.openfaas-fn', 200, '')).toThrow(
      expect.objectContaining({ code: 'ERR_NATIVE_OPTION' }),
    );
  });
});
