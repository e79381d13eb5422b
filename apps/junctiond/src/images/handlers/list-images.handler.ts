// SPDX-License-Identifier: Apache-2.0
import { instanceV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

import { toImageMessage } from '../image.mapper.js';
import { ImageService } from '../image.service.js';

@RpcHandler(instanceV1.ImageServiceService.listImages)
export class ListImagesHandler {
  constructor(private readonly images: ImageService) {}

  handle(): Promise<instanceV1.ListImagesResponse> {
    return Promise.resolve({ images: this.images.list().map(toImageMessage) });
  }
}
