// SPDX-License-Identifier: Apache-2.0
// What the scheduler daemon answers to {"op":"stats"}; native/src/scheduler/control_protocol.h says it line by line.
import { z } from 'zod';

const unsigned = z.number().int().nonnegative();
const unsigned64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((digits) => BigInt(digits));

/** Frames that were dropped, by reason: native/src/scheduler/uplink/drop_reason.h. */
const drops = z.record(z.string(), unsigned64);

const uplinkSchema = z.object({
  device: z.string(),
  up: z.boolean(),
  reason: z.string(),
  range: z.string(),
  address: z.string(),
  range6: z.string(),
  address6: z.string(),
  mtuBytes: unsigned,
  dns: z.string(),
  gatewayPort: unsigned,
  drops: drops.default({}),
});

const instanceUplinkSchema = z.object({
  attached: z.boolean(),
  framesOut: unsigned64,
  bytesOut: unsigned64,
  framesIn: unsigned64,
  bytesIn: unsigned64,
  drops,
  fault: z.string().optional(),
});

// What a daemon from before an upgrade does not say is optional: it is adopted all the same.
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
  events: z.object({ overflows: unsigned64 }).optional(),
  uplink: uplinkSchema.optional(),
  instances: z.array(
    z.object({
      id: z.string(),
      coreLimit: unsigned,
      guestSyscalls: unsigned64,
      threads: unsigned,
      active: z.boolean(),
      lastActiveUnixNs: unsigned64,
      fault: z.string().optional(),
      events: unsigned64.optional(),
      uplink: instanceUplinkSchema.optional(),
    }),
  ),
});

export type DaemonStats = z.infer<typeof daemonStatsSchema>;

/** Reads one line of the daemon; throws with what is wrong when it is not a line of stats. */
export function parseDaemonStats(line: string): DaemonStats {
  return daemonStatsSchema.parse(JSON.parse(line));
}
