// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { namespaceOrDefault } from '../domain/function-key.js';
import { SecretService } from './secret.service.js';

@RpcHandler(functionV1.SecretServiceService.createSecret)
export class CreateSecretHandler {
  constructor(private readonly secrets: SecretService) {}

  async handle({ name, namespace, value }: functionV1.CreateSecretRequest): Promise<functionV1.CreateSecretResponse> {
    await this.secrets.create(namespaceOrDefault(namespace), name, value);
    return {};
  }
}
