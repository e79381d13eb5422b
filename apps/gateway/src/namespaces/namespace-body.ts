// SPDX-License-Identifier: Apache-2.0
import type { functionV1 } from '@junctiond/contracts';
import { z } from 'zod';
import { HttpError } from '../http/http-error.js';

const textMap = z.record(z.string(), z.string()).nullish();

/** A namespace as clients send it. Its name may be left out where the path says it. */
export const namespaceBody = z.object({ name: z.string().nullish(), labels: textMap, annotations: textMap });

/** The namespace for the provider. @throws HttpError 400 when body and path name two. */
export function toNamespace(body: z.output<typeof namespaceBody>, path?: string): functionV1.Namespace {
  const { labels, annotations } = body;
  const sent = body.name ?? '';
  if (path !== undefined && sent !== '' && sent !== path) {
    throw new HttpError(400, `name: differs from the path's ${path}, got ${JSON.stringify(sent)}`);
  }
  const name = path ?? sent;
  if (name === '') throw new HttpError(400, 'name: must not be empty');
  return { name, labels: labels ?? {}, annotations: annotations ?? {} };
}

/** A namespace as the API shows it. */
export interface NamespaceView {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
