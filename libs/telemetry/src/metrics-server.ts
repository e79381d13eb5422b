// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './telemetry.js';

/** What the server's two pages show. */
export interface MetricsPages {
  readonly scrape: () => Promise<string>;
  readonly health: () => Promise<Health>;
  readonly onError: (error: unknown) => void;
}

/** A listening server. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves GET and HEAD of `/metrics` and `/healthz`; everything else is 404 or 405. */
export async function startMetricsServer(
  listen: { readonly host: string; readonly port: number },
  pages: MetricsPages,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    respond(request, response, pages).catch((error: unknown) => {
      pages.onError(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      server.off('error', reject);
      server.on('error', pages.onError);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, pages: MetricsPages): Promise<void> {
  const [path] = (request.url ?? '/').split('?');
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (path !== '/metrics' && path !== '/healthz')
    return send(response, 404, 'text/plain; charset=utf-8', 'not found\n');
  if (!isRead) {
    response.setHeader('Allow', 'GET, HEAD');
    return send(response, 405, 'text/plain; charset=utf-8', 'method not allowed\n');
  }
  if (path === '/metrics') {
    return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await pages.scrape());
  }
  const { isHealthy, message } = await pages.health();
  return send(response, isHealthy ? 200 : 503, 'text/plain; charset=utf-8', `${message}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
