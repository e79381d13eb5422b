// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { namespaceOrDefault } from '../domain/function-key.js';
import { SecretService } from './secret.service.js';

@RpcHandler(functionV1.SecretServiceService.updateSecret)
export class UpdateSecretHandler {
  constructor(private readonly secrets: SecretService) {}

  async handle({ name, namespace, value }: functionV1.UpdateSecretRequest): Promise<functionV1.UpdateSecretResponse> {
    await this.secrets.update(namespaceOrDefault(namespace), name, value);
    return {};
  }
}
