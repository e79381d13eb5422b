// SPDX-License-Identifier: Apache-2.0
import { type FaasCli } from './faas-cli.js';
import { type ApiAnswer, type Credentials, type FunctionStatus, type LogLine, OpenFaasApi } from './openfaas-api.js';
import { readStackFile } from './stack-file.js';

/** Sends what faas-cli sends and judges answers as it does, for machines where the real one cannot be had. */
export class OwnFaasCli implements FaasCli {
  readonly name = 'own client';
  #api: OpenFaasApi;

  constructor(gatewayUrl: string) {
    this.#api = new OpenFaasApi(gatewayUrl);
  }

  async login(credentials: Credentials): Promise<void> {
    const api = this.#api.as(credentials);
    accept(await api.listFunctions(), 200);
    this.#api = api;
  }

  async deploy(stackFile: string, variables: Readonly<Record<string, string>>): Promise<void> {
    for (const deployment of readStackFile(stackFile, variables)) {
      const updated = await this.#api.updateFunction(deployment);
      accept(updated.status === 404 ? await this.#api.createFunction(deployment) : updated, 200, 201, 202);
    }
  }

  async list(): Promise<{ name: string; image: string }[]> {
    return accept(await this.#api.listFunctions(), 200).json() as FunctionStatus[];
  }

  async describe(name: string): Promise<string> {
    return JSON.stringify(accept(await this.#api.getFunction(name), 200).json());
  }

  async ready(name: string): Promise<boolean> {
    accept(await this.#api.healthz(), 200);
    const answer = await this.#api.getFunction(name);
    return answer.status === 200 && (answer.json() as FunctionStatus).availableReplicas > 0;
  }

  async invoke(
    name: string,
    body: Buffer,
    options: { query?: string; header?: string; method?: string } = {},
  ): Promise<Buffer> {
    const [queryName = '', queryValue = ''] = options.query?.split('=') ?? [];
    const [headerName = '', headerValue = ''] = options.header?.split('=') ?? [];
    const answer = await this.#api.invoke(name, body, {
      method: options.method ?? 'POST',
      query: queryName === '' ? {} : { [queryName]: queryValue },
      headers: headerName === '' ? {} : { [headerName]: headerValue },
    });
    return accept(answer, 200, 201, 202).body;
  }

  async logs(name: string): Promise<string> {
    const lines = accept(await this.#api.readLogs(name), 200)
      .text.split('\n')
      .filter(Boolean);
    return lines.map((line) => (JSON.parse(line) as LogLine).text).join('\n');
  }

  async remove(name: string): Promise<void> {
    accept(await this.#api.deleteFunction(name), 200, 201, 202);
  }

  async createSecret(name: string, value: string): Promise<void> {
    accept(await this.#api.createSecret(name, value), 200, 201, 202);
  }

  async updateSecret(name: string, value: string): Promise<void> {
    accept(await this.#api.updateSecret(name, value), 200, 202);
  }

  async listSecrets(): Promise<string[]> {
    const secrets = accept(await this.#api.listSecrets(), 200, 202).json() as { name: string }[];
    return secrets.map((secret) => secret.name);
  }

  async removeSecret(name: string): Promise<void> {
    accept(await this.#api.deleteSecret(name), 200, 202);
  }

  async namespaces(): Promise<string[]> {
    return accept(await this.#api.listNamespaces(), 200).json() as string[];
  }
}

function accept(answer: ApiAnswer, ...statuses: readonly number[]): ApiAnswer {
  if (statuses.includes(answer.status)) return answer;
  throw new Error(`server returned unexpected status code: ${answer.status} - ${answer.text}`);
}
