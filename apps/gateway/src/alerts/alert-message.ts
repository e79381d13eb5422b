// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** What is read of an AlertManager webhook message (version 4); it holds more. */
export const alertMessage = z.object({
  status: z.enum(['firing', 'resolved'], 'expected firing or resolved').nullish(),
  alerts: z
    .array(
      z.object({
        status: z.enum(['firing', 'resolved'], 'expected firing or resolved').nullish(),
        labels: z.object({ function_name: z.string().min(1, 'must not be empty') }),
      }),
    )
    .min(1, 'must not be empty'),
});

/** One scaling wish out of a message. */
export interface FunctionAlert {
  readonly functionName: string;
  readonly isFiring: boolean;
}

/** The alerts of a message; one without a status of its own has the message's. */
export function toFunctionAlerts(message: z.output<typeof alertMessage>): FunctionAlert[] {
  return message.alerts.map(({ status, labels }) => ({
    functionName: labels.function_name,
    isFiring: (status ?? message.status ?? 'firing') === 'firing',
  }));
}
