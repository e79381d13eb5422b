// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { ImageService } from '../image.service.js';

@RpcHandler(instanceV1.ImageServiceService.collectGarbage)
export class CollectGarbageHandler {
  constructor(private readonly images: ImageService) {}

  async handle(request: instanceV1.CollectGarbageRequest): Promise<instanceV1.CollectGarbageResponse> {
    const { removed, freedBytes } = await this.images.collectGarbage(Number(request.unusedForMs));
    return { removedDigests: removed, freedBytes: BigInt(freedBytes) };
  }
}
