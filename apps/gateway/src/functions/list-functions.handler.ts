// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject, Query } from '@nestjs/common';
import { parseFields } from '../http/parse-body.js';
import { InvocationCounts } from '../ingress/invocation-counts.js';
import { FUNCTIONS, type FunctionsClient } from '../provider/provider-clients.js';
import { toFunctionStatus, type FunctionStatus } from './function-status.js';
import { namespaceQuery } from './namespace-query.js';

/** GET /system/functions: all functions of a namespace. */
@Controller()
export class ListFunctionsHandler {
  constructor(
    @Inject(FUNCTIONS) private readonly functions: FunctionsClient,
    private readonly invocations: InvocationCounts,
  ) {}

  @Get('/system/functions')
  async handle(@Query() query: unknown): Promise<FunctionStatus[]> {
    const { namespace = '' } = parseFields(namespaceQuery, query, 'query');
    const { functions } = await this.functions.listFunctions({ namespace, allNamespaces: false });
    const counts = this.invocations.read();
    return functions.map((fn) => toFunctionStatus(fn, counts.of(fn.spec)));
  }
}
