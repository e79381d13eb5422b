// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { GatewayFixture } from './gateway.fixture.js';

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

let collector: Server;
let spans: Span[];

beforeEach(async () => {
  spans = [];
  collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => collector.close(resolve));
});

it('carries the trace of a client over the gateway to the provider', async () => {
  const { port } = collector.address() as AddressInfo;
  const gateway = await GatewayFixture.start({ JUNCTION_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await gateway.send('GET', '/system/function/nobody', {
    headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  });
  await gateway.dispose();
  const inTrace = spans.filter((span) => span.traceId === traceId);
  const request = inTrace.find(({ name }) => name === 'GET /system/function/:name');
  expect(request?.parentSpanId).toBe('b7ad6b7169203331');
  const call = inTrace.find(({ name }) => name === '/junctiond.function.v1.FunctionService/GetFunction');
  expect(call?.parentSpanId).toBe(request?.spanId);
});
