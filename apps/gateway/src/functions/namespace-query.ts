// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** The query of requests that may say a namespace; absent or empty = the default one. */
export const namespaceQuery = z.object({ namespace: z.string().optional() });
