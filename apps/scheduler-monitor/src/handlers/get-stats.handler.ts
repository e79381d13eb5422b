// SPDX-License-Identifier: Apache-2.0
import { schedulerV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { SchedulerStatsService } from '../scheduler-stats.service.js';

@RpcHandler(schedulerV1.SchedulerServiceService.getStats)
export class GetStatsHandler {
  constructor(private readonly service: SchedulerStatsService) {}

  async handle(): Promise<schedulerV1.GetStatsResponse> {
    return { stats: await this.service.current() };
  }
}
