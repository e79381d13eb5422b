// SPDX-License-Identifier: Apache-2.0
import { Body, Controller, Delete, HttpCode, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { parseBody, parseFields } from '../http/parse-body.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { parseFunctionName } from './function-name.js';
import { namespaceQuery } from './namespace-query.js';

const deletion = z.object({
  functionName: z.string().min(1, 'must not be empty'),
  namespace: z.string().nullish(),
});

/** DELETE /system/functions: removes a function and its replicas. */
@Controller()
export class DeleteFunctionHandler {
  constructor(@Inject(FUNCTIONS) private readonly functions: FunctionsClient) {}

  @Delete('/system/functions')
  @HttpCode(202)
  async handle(@Body() body: Buffer | undefined, @Query() query: unknown): Promise<void> {
    const { functionName, namespace } = parseBody(deletion, body);
    const fallback = parseFields(namespaceQuery, query, 'query').namespace;
    await this.functions.deleteFunction(parseFunctionName(functionName, namespace ?? fallback));
  }
}
