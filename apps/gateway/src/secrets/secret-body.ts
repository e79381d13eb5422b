// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { defaultNamespace } from '../functions/function-name.js';

const name = z.string().min(1, 'must not be empty');

/** Names a secret. */
export const secretName = z.object({ name, namespace: z.string().nullish() });

/** A secret with its content: text in `value`, or any bytes in `rawValue`, which wins. */
export const secretBody = z
  .object({
    name,
    namespace: z.string().nullish(),
    value: z.string('expected string').nullish(),
    rawValue: z.base64('is not base64').nullish(),
  })
  .refine(({ value, rawValue }) => typeof value === 'string' || typeof rawValue === 'string', {
    path: ['value'],
    message: 'value or rawValue must be given',
  })
  .transform((body) => ({
    name: body.name,
    namespace: namespaceOf(body),
    value:
      body.rawValue === null || body.rawValue === undefined || body.rawValue === ''
        ? Buffer.from(body.value ?? '', 'utf8')
        : Buffer.from(body.rawValue, 'base64'),
  }));

/** The namespace that a body says, else that of the query, else the default one. */
export function namespaceOf(body: { namespace?: string | null | undefined }, query?: string): string {
  return [body.namespace, query].find((each) => typeof each === 'string' && each !== '') ?? defaultNamespace;
}
