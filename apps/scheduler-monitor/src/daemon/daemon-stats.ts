// SPDX-License-Identifier: Apache-2.0
// What the scheduler daemon answers to {"op":"stats"}; native/src/scheduler/control_protocol.h says it line by line.
import { z } from 'zod';

const unsigned = z.number().int().nonnegative();
const unsigned64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((digits) => BigInt(digits));

const daemonStatsSchema = z.object({
  pid: unsigned,
  uptimeMs: unsigned,
  sampledAtUnixNs: unsigned64,
  hostCores: unsigned,
  idleStates: z.object({
    heldShallow: z.boolean(),
    mechanism: z.string(),
    holds: unsigned,
    heldMs: unsigned,
    wakeups: unsigned,
  }),
  instances: z.array(
    z.object({
      id: z.string(),
      coreLimit: unsigned,
      guestSyscalls: unsigned64,
      threads: unsigned,
      active: z.boolean(),
      lastActiveUnixNs: unsigned64,
      fault: z.string().optional(),
    }),
  ),
});

export type DaemonStats = z.infer<typeof daemonStatsSchema>;

/** Reads one line of the daemon; throws with what is wrong when it is not a line of stats. */
export function parseDaemonStats(line: string): DaemonStats {
  return daemonStatsSchema.parse(JSON.parse(line));
}
