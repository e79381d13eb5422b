// SPDX-License-Identifier: Apache-2.0
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { placeSocket, type PlacedSocket } from '@junctiond/rpc';
import type { ContextOptions } from '@junctiond/rpc/nest';
import { authHook } from './auth/auth-hook.js';
import { ensureCredentials } from './auth/credentials-files.js';
import type { GatewayConfig } from './config.js';
import { GatewayLife } from './gateway-life.service.js';
import { ErrorFilter } from './http/error.filter.js';
import { RouteMethods } from './http/route-methods.js';
import { traceHook } from './http/trace-hook.js';

/** The longest name in a path that reaches a handler, so that the provider can say what is wrong with it. Chosen. */
const longestPathParameter = 4_096;

/**
 * Creates the gateway and starts it: the API on its unix socket first, then the ingress that passes requests on to it.
 * @throws ConfigError when the credentials cannot be read or made.
 */
export async function createGateway(
  root: Type<unknown>,
  options: ContextOptions,
  config: GatewayConfig,
): Promise<NestFastifyApplication> {
  const credentials = config.hasBasicAuth
    ? ensureCredentials({ userFile: config.basicAuthUserFile, passwordFile: config.basicAuthPasswordFile })
    : undefined;
  const adapter = new FastifyAdapter({
    bodyLimit: config.apiBodyLimitBytes,
    // The ingress keeps connections to this socket; it has closed them all when this server is closed.
    keepAliveTimeout: config.idleTimeoutMs,
    forceCloseConnections: true,
    http: { maxHeaderSize: config.headerLimitBytes },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: longestPathParameter },
  });
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, { ...options, bodyParser: false });
  const fastify = adapter.getInstance();
  const routes = app.get(RouteMethods);
  fastify.addHook('onRoute', ({ url, method }) => routes.add(url, [method].flat()));
  fastify.addHook('onRequest', traceHook);
  fastify.addHook('onRequest', authHook(credentials));
  // Handlers parse bodies themselves, whatever type they claim to be.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.useGlobalFilters(app.get(ErrorFilter));
  // Hooks must be there before the server listens, so this one looks for the socket when it runs.
  const sockets: PlacedSocket[] = [];
  fastify.addHook('onClose', (_instance, done) => {
    for (const socket of sockets) socket.remove();
    done();
  });
  await app.init();
  sockets.push(
    await placeSocket(config.paths.gatewayApiSocket, async (path) => {
      await fastify.listen({ path });
    }),
  );
  await app.get(GatewayLife).start();
  return app;
}
