// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { HttpError } from '../http/http-error.js';
import { parseFields } from '../http/parse-body.js';
import { InvocationCounts } from '../ingress/invocation-counts.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { formatFunctionName, parseFunctionName } from './function-name.js';
import { toFunctionStatus, type FunctionStatus } from './function-status.js';

const describeQuery = z.object({
  namespace: z.string().optional(),
  usage: z.enum(['0', '1', 'true', 'false'], 'expected 0, 1, true or false').optional(),
});

/** GET /system/function/NAME: one function, with its use of CPU and memory if asked. */
@Controller()
export class DescribeFunctionHandler {
  constructor(
    @Inject(FUNCTIONS) private readonly functions: FunctionsClient,
    private readonly invocations: InvocationCounts,
  ) {}

  @Get('/system/function/:name')
  async handle(@Param('name') path: string, @Query() query: unknown): Promise<FunctionStatus> {
    const { namespace, usage } = parseFields(describeQuery, query, 'query');
    const name = parseFunctionName(path, namespace);
    const answer = await this.functions.getFunction({ ...name, usage: usage === '1' || usage === 'true' });
    if (answer.function === undefined) throw new HttpError(404, `function ${formatFunctionName(name)} does not exist`);
    return toFunctionStatus(answer.function, this.invocations.read().of(answer.function.spec));
  }
}
