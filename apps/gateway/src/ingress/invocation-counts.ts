// SPDX-License-Identifier: Apache-2.0
import { Injectable } from '@nestjs/common';
import { formatFunctionName, type FunctionName } from '../functions/function-name.js';
import { IngressHost } from './ingress-host.js';

/** Counts of one moment. */
export interface CountsNow {
  /** How often a function was invoked since the gateway started; 0 for one that never was. */
  of(name: FunctionName | undefined): number;
}

/** How often functions were invoked, as the ingress counted. */
@Injectable()
export class InvocationCounts {
  constructor(private readonly ingress: IngressHost) {}

  read(): CountsNow {
    const counts = new Map(
      this.ingress
        .metrics()
        ?.functions.map(({ functionName, codes }) => [
          functionName,
          codes.reduce((total, { count }) => total + count, 0),
        ]),
    );
    return { of: (name) => (name === undefined ? 0 : (counts.get(formatFunctionName(name)) ?? 0)) };
  }
}
