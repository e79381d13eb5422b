// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

import { schedulerV1 } from '@junctiond/contracts';
import { type RpcCall, RpcError } from '@junctiond/rpc';
import { RpcHandler } from '@junctiond/rpc/nest';

import { SchedulerStatsService } from '../scheduler-stats.service.js';

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 60_000;

@RpcHandler(schedulerV1.SchedulerServiceService.watchStats)
export class WatchStatsHandler {
  constructor(private readonly service: SchedulerStatsService) {}

  async *handle(
    { intervalMs }: schedulerV1.WatchStatsRequest,
    call: RpcCall,
  ): AsyncGenerator<schedulerV1.SchedulerStats> {
    if (intervalMs < MIN_INTERVAL_MS || intervalMs > MAX_INTERVAL_MS) {
      throw new RpcError(
        'invalid_argument',
        `interval_ms is ${intervalMs}, expected ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS}`,
      );
    }
    while (!call.signal.aborted) {
      yield await this.service.current();
      await delay(intervalMs, undefined, { signal: call.signal }).catch(() => undefined);
    }
  }
}
