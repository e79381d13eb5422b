// SPDX-License-Identifier: Apache-2.0
import {
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';

import { instanceV1 } from '@junctiond/contracts';
import { APP_CONFIG, LOGGER, RpcServerModule, TELEMETRY } from '@junctiond/rpc/nest';
import type { Logger, Telemetry } from '@junctiond/telemetry';

import type { JunctiondConfig } from './config.js';
import { CollectGarbageHandler } from './images/handlers/collect-garbage.handler.js';
import { EnsureImageHandler } from './images/handlers/ensure-image.handler.js';
import { ListImagesHandler } from './images/handlers/list-images.handler.js';
import { RemoveImageHandler } from './images/handlers/remove-image.handler.js';
import { ImageService } from './images/image.service.js';
import { AddUprocHandler } from './instances/handlers/add-uproc.handler.js';
import { CreateInstanceHandler } from './instances/handlers/create-instance.handler.js';
import { DeleteInstanceHandler } from './instances/handlers/delete-instance.handler.js';
import { GetInstanceHandler } from './instances/handlers/get-instance.handler.js';
import { ListInstancesHandler } from './instances/handlers/list-instances.handler.js';
import { ReadLogsHandler } from './instances/handlers/read-logs.handler.js';
import { SetCoreLimitHandler } from './instances/handlers/set-core-limit.handler.js';
import { StartInstanceHandler } from './instances/handlers/start-instance.handler.js';
import { StopInstanceHandler } from './instances/handlers/stop-instance.handler.js';
import { UpdateSecretsHandler } from './instances/handlers/update-secrets.handler.js';
import { WatchInstancesHandler } from './instances/handlers/watch-instances.handler.js';
import { InstanceService } from './instances/instance.service.js';
import { UsageService } from './instances/usage.service.js';
import { InstanceLogs } from './logs/instance-logs.js';
import { JunctiondNode } from './node.js';

/** Opens the node before the API is served, and lets go of it after that. */
@Injectable()
class NodeHolder implements OnModuleInit, OnApplicationShutdown {
  readonly node: JunctiondNode;

  constructor(
    @Inject(APP_CONFIG) config: JunctiondConfig,
    @Inject(LOGGER) log: Logger,
    @Inject(TELEMETRY) telemetry: Telemetry,
  ) {
    this.node = new JunctiondNode(config, log, telemetry);
  }

  async onModuleInit(): Promise<void> {
    await this.node.open();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.node.close();
  }
}

const services: Provider[] = [
  { provide: ImageService, inject: [NodeHolder], useFactory: ({ node }: NodeHolder) => node.images },
  { provide: InstanceService, inject: [NodeHolder], useFactory: ({ node }: NodeHolder) => node.instances },
  { provide: InstanceLogs, inject: [NodeHolder], useFactory: ({ node }: NodeHolder) => node.logs },
  { provide: UsageService, inject: [NodeHolder], useFactory: ({ node }: NodeHolder) => node.usages },
];

const handlers = [
  EnsureImageHandler,
  ListImagesHandler,
  RemoveImageHandler,
  CollectGarbageHandler,
  CreateInstanceHandler,
  StartInstanceHandler,
  StopInstanceHandler,
  DeleteInstanceHandler,
  GetInstanceHandler,
  ListInstancesHandler,
  WatchInstancesHandler,
  ReadLogsHandler,
  SetCoreLimitHandler,
  AddUprocHandler,
  UpdateSecretsHandler,
];

@Module({
  imports: [
    RpcServerModule.register<JunctiondConfig>({
      services: [instanceV1.ImageServiceService, instanceV1.InstanceServiceService],
      address: (config) => config.address,
    }),
  ],
  providers: [NodeHolder, ...services, ...handlers],
})
export class JunctiondModule {}
