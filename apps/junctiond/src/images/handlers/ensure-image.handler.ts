// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toImageMessage } from '../image.mapper.js';
import { ImageService } from '../image.service.js';

@RpcHandler(instanceV1.ImageServiceService.ensureImage)
export class EnsureImageHandler {
  constructor(private readonly images: ImageService) {}

  async handle(request: instanceV1.EnsureImageRequest): Promise<instanceV1.EnsureImageResponse> {
    return { image: toImageMessage(await this.images.ensure(request.image)) };
  }
}
