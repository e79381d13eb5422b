// SPDX-License-Identifier: Apache-2.0
import type { instanceV1 } from '@junctiond/contracts';

import type { ImageSummary } from './image.service.js';

export function toImageMessage(image: ImageSummary): instanceV1.Image {
  return {
    reference: image.reference,
    digest: image.digest,
    sizeBytes: BigInt(image.sizeBytes),
    users: image.users,
    lastUsedAt: new Date(image.lastUsedAtMs),
  };
}
