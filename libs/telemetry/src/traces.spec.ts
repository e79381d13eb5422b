// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { startTelemetry } from './telemetry.js';

let collector: Server;
let received: { url: string | undefined; body: string }[];

beforeEach(async () => {
  received = [];
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ url: request.url, body: Buffer.concat(chunks).toString('utf8') });
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => collector.close(resolve));
});

const start = (otlpEndpoint?: string) =>
  startTelemetry({
    app: 'traced',
    version: '1.0.0',
    metricsHost: '127.0.0.1',
    metricsPort: 0,
    ...(otlpEndpoint === undefined ? {} : { otlpEndpoint }),
    onError: () => undefined,
  });

it('sends spans to the collector, the last ones when it is closed', async () => {
  const { port } = collector.address() as AddressInfo;
  const telemetry = await start(`http://127.0.0.1:${port}/`);
  telemetry.tracer.startActiveSpan('the work', (span) => span.end());
  await telemetry.close();
  expect(received).toEqual([{ url: '/v1/traces', body: expect.stringContaining('"the work"') }]);
  expect(received[0]?.body).toContain('"traced"');
});

it('makes no spans without a collector', async () => {
  const telemetry = await start();
  telemetry.tracer.startActiveSpan('the work', (span) => {
    expect(span.isRecording()).toBe(false);
    span.end();
  });
  await telemetry.close();
  expect(received).toEqual([]);
});
