// SPDX-License-Identifier: Apache-2.0
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Credentials } from './credentials.js';

/** Routes that need no credentials, as Fastify writes them; every other one does. */
const publicRoutes: ReadonlySet<string> = new Set(['GET /', 'GET /healthz', 'POST /async-function/*']);

/**
 * Refuses requests without credentials before their body is read. The matched route decides, not the path as it was
 * sent: `/%73ystem/functions` is the same route as `/system/functions`.
 */
export function authHook(
  credentials: Credentials | undefined,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    const { url: route } = request.routeOptions;
    // A HEAD is the GET without a body. No route: the answer will be 404 or 405.
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const isOpen = credentials === undefined || route === undefined || publicRoutes.has(`${method} ${route}`);
    if (isOpen || credentials.accept(request.headers.authorization)) return;
    await reply
      .code(401)
      .headers({ 'WWW-Authenticate': 'Basic realm="Restricted"', 'Content-Type': 'text/plain; charset=utf-8' })
      .send('invalid credentials');
  };
}
