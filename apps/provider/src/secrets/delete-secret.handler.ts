// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { namespaceOrDefault } from '../domain/function-key.js';
import { SecretService } from './secret.service.js';

@RpcHandler(functionV1.SecretServiceService.deleteSecret)
export class DeleteSecretHandler {
  constructor(private readonly secrets: SecretService) {}

  async handle({ name, namespace }: functionV1.DeleteSecretRequest): Promise<functionV1.DeleteSecretResponse> {
    await this.secrets.delete(namespaceOrDefault(namespace), name);
    return {};
  }
}
