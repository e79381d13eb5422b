// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { HttpError } from '../http/http-error.js';
import { parseBody, parseFields } from '../http/parse-body.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { parseFunctionName } from './function-name.js';
import { namespaceQuery } from './namespace-query.js';

/** The proto carries replicas as uint32. */
const mostReplicas = 2 ** 32 - 1;

const scaling = z.object({
  serviceName: z.string().nullish(),
  replicas: z.int('expected a whole number').min(0, 'must not be negative').max(mostReplicas, 'is too large'),
  namespace: z.string().nullish(),
});

/** POST /system/scale-function/NAME: sets the number of wanted replicas. */
@Controller()
export class ScaleFunctionHandler {
  constructor(@Inject(FUNCTIONS) private readonly functions: FunctionsClient) {}

  @Post('/system/scale-function/:name')
  @HttpCode(202)
  async handle(@Param('name') path: string, @Body() body: Buffer | undefined, @Query() query: unknown): Promise<void> {
    const { serviceName, replicas, namespace } = parseBody(scaling, body);
    const fallback = parseFields(namespaceQuery, query, 'query').namespace;
    const target = parseFunctionName(path, namespace ?? fallback);
    const named = parseFunctionName(serviceName ?? path, namespace ?? fallback);
    if (serviceName !== '' && named.name !== target.name) {
      throw new HttpError(
        400,
        `serviceName: differs from the path's ${target.name}, got ${JSON.stringify(serviceName)}`,
      );
    }
    await this.functions.scaleFunction({ ...target, replicas });
  }
}
