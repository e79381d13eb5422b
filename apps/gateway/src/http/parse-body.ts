// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import { describeIssues } from './faults.js';
import { HttpError } from './http-error.js';

/**
 * Reads a JSON body by a schema, whatever its Content-Type says: clients of this API send many.
 * @throws HttpError 400 that names every faulty field with its value.
 */
export function parseBody<S extends z.ZodType>(schema: S, body: Buffer | undefined): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(body?.toString('utf8') ?? '');
  } catch (error) {
    const isEmpty = body === undefined || body.length === 0;
    // The parser's own text quotes the body, which may hold a secret.
    const where = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
    const place = where === undefined ? '' : `, see byte ${where}`;
    throw new HttpError(400, isEmpty ? 'the body is empty, expected JSON' : `the body is not valid JSON${place}`);
  }
  return parseFields(schema, json, 'body');
}

/**
 * Reads decoded values (a body, a query) by a schema.
 * @throws HttpError 400 that names every faulty field with its value.
 */
export function parseFields<S extends z.ZodType>(schema: S, value: unknown, whole: string): z.output<S> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new HttpError(400, describeIssues(parsed.error.issues, whole).join('\n'));
}
