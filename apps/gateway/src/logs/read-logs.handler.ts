// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import type { functionV1 } from '@junctiond/contracts';
import { LOGGER } from '@junctiond/rpc/nest';
import type { Logger } from '@junctiond/telemetry';
import type { FastifyReply } from 'fastify';
import { parseFields } from '../http/parse-body.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { logQuery, toLogLine, toReadLogsRequest } from './log-query.js';
import { LogStreams } from './log-streams.js';

/** GET /system/logs: a function's log as NDJSON, each line as soon as it is there; `follow` has no time limit. */
@Controller()
export class ReadLogsHandler {
  constructor(
    @Inject(FUNCTIONS) private readonly functions: FunctionsClient,
    @Inject(LOGGER) private readonly log: Logger,
    private readonly streams: LogStreams,
  ) {}

  @Get('/system/logs')
  async handle(@Query() query: unknown, @Res() reply: FastifyReply): Promise<void> {
    const request = toReadLogsRequest(parseFields(logQuery, query, 'query'), Date.now());
    // Asked first, because a log without lines cannot tell that its function does not exist.
    await this.functions.getFunction({ name: request.name, namespace: request.namespace, usage: false });
    reply.hijack();
    await this.streams.track(this.#stream(request, reply.raw));
  }

  async #stream(request: functionV1.ReadLogsRequest, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.streams.signal]);
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
    response.flushHeaders();
    try {
      // No deadline over the whole: how long a log takes is up to its length and to the client.
      for await (const line of this.functions.readLogs(request, { deadlineMs: Infinity, signal })) {
        if (!response.write(toLogLine(line))) await once(response, 'drain', { signal });
      }
    } catch (error) {
      if (!signal.aborted) {
        // The status is out already; only a connection that breaks off tells the client that something is missing.
        this.log.warn({ error, functionName: request.name }, 'a log broke off');
        response.destroy();
        return;
      }
    }
    if (gone.signal.aborted) return;
    response.end();
    // A client that goes away now has missed nothing of importance.
    await finished(response).catch(() => undefined);
  }
}
