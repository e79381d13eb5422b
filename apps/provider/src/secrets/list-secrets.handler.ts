// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';
import { namespaceOrDefault } from '../domain/function-key.js';
import { SecretService } from './secret.service.js';

@RpcHandler(functionV1.SecretServiceService.listSecrets)
export class ListSecretsHandler {
  constructor(private readonly secrets: SecretService) {}

  async handle(request: functionV1.ListSecretsRequest): Promise<functionV1.ListSecretsResponse> {
    const namespace = namespaceOrDefault(request.namespace);
    const names = await this.secrets.names(namespace);
    return { secrets: names.map((name) => ({ name, namespace })) };
  }
}
