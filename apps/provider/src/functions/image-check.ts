// SPDX-License-Identifier: Apache-2.0
import { hasKind } from '@junctiond/rpc';
import { messageOf, ProviderError } from '../domain/provider.error.js';
import type { JunctiondClient } from '../instances/junctiond.client.js';
import type { CallLimits } from './function.service.js';

/** Left of the caller's time for writing the state and answering. */
const MARGIN_MS = 1_000;

/** What the deployment can do something about: no such image, no access to it, a registry not set up here. */
const IMAGE_FAULTS = new Set<string>(['not_found', 'invalid_argument', 'permission_denied', 'failed_precondition']);

/** Asks, while a deployment waits, whether there is such an image. */
export class ImageCheck {
  readonly #junctiond: JunctiondClient;
  readonly #checkMs: number;

  constructor(junctiond: JunctiondClient, checkMs: number) {
    this.#junctiond = junctiond;
    this.#checkMs = checkMs;
  }

  /**
   * The image's digest; empty where that cannot be said in time (junctiond or the registry is down, the image is
   * large): the deployment is accepted and the reconciler goes on. Throws `invalid_argument` for an image that does not
   * exist or may not be had.
   */
  async digestOf(image: string, { deadline, signal }: CallLimits): Promise<string> {
    const leftMs = deadline === undefined ? this.#checkMs : deadline.getTime() - Date.now() - MARGIN_MS;
    const deadlineMs = Math.max(1, Math.min(this.#checkMs, leftMs));
    try {
      return await this.#junctiond.ensureImage(image, { deadlineMs, signal });
    } catch (error) {
      if (hasKind(error) && IMAGE_FAULTS.has(error.kind)) {
        throw new ProviderError('invalid_argument', `image: ${messageOf(error)}`, { cause: error });
      }
      if (hasKind(error) && (error.kind === 'unavailable' || error.kind === 'deadline_exceeded')) {
        return '';
      }
      throw error;
    }
  }
}
