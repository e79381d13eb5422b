// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { ImageService } from '../image.service.js';

@RpcHandler(instanceV1.ImageServiceService.removeImage)
export class RemoveImageHandler {
  constructor(private readonly images: ImageService) {}

  async handle(request: instanceV1.RemoveImageRequest): Promise<instanceV1.RemoveImageResponse> {
    await this.images.remove(request.digest);
    return {};
  }
}
