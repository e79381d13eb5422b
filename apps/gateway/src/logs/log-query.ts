// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { z } from 'zod';
import { parseFunctionName } from '../functions/function-name.js';

/** How far back logs go when the query does not say. */
const defaultSinceMs = 5 * 60 * 1_000;

/** The proto carries line counts as uint32. */
const mostLines = 2 ** 32 - 1;

/** The query of GET /system/logs. A negative `tail` means all lines, as faas-cli has it. */
export const logQuery = z.object({
  name: z.string().min(1, 'must not be empty'),
  namespace: z.string().optional(),
  instance: z.string().optional(),
  tail: z
    .string()
    .regex(/^-?\d{1,15}$/, 'expected a whole number')
    .transform(Number)
    .optional(),
  follow: z
    .enum(['0', '1', 'true', 'false'], 'expected true or false')
    .transform((text) => text === '1' || text === 'true')
    .optional(),
  since: z.iso
    .datetime({ offset: true, error: 'expected a time such as 2026-01-31T12:00:00Z' })
    .transform((text) => new Date(text))
    .optional(),
});

/** The request to the provider. `nowMs` is Unix time. */
export function toReadLogsRequest(query: z.output<typeof logQuery>, nowMs: number): functionV1.ReadLogsRequest {
  const { tail } = query;
  return {
    ...parseFunctionName(query.name, query.namespace),
    instance: query.instance ?? '',
    tailLines: tail === undefined || tail < 0 ? undefined : Math.min(tail, mostLines),
    follow: query.follow ?? false,
    since: query.since ?? new Date(nowMs - defaultSinceMs),
  };
}

/** One line of the answer, as NDJSON. */
export function toLogLine({ name, namespace, instance, at, text }: functionV1.FunctionLogLine): string {
  return `${JSON.stringify({ name, namespace, instance, timestamp: at?.toISOString(), text })}\n`;
}
