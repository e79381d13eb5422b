// SPDX-License-Identifier: Apache-2.0
// The gateway's API as faas-cli calls it: the same methods, paths, headers and bodies. See OPENFAAS.md of the
// project's shared documents, "Routes" and "What faas-cli sends".
import { type HttpAnswer, exchange } from '@junctiond/testing';
import { gunzipSync } from 'node:zlib';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface FunctionResources {
  readonly memory?: string;
  readonly cpu?: string;
}

/** The body of a deployment; what is absent is not sent. */
export interface FunctionDeployment {
  readonly service: string;
  readonly image: string;
  readonly namespace?: string;
  readonly envProcess?: string;
  readonly envVars?: Readonly<Record<string, string>>;
  readonly constraints?: readonly string[];
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly limits?: FunctionResources;
  readonly requests?: FunctionResources;
  readonly readOnlyRootFilesystem?: boolean;
}

/** A deployed function as the gateway describes it. */
export interface FunctionStatus extends Omit<FunctionDeployment, 'service'> {
  readonly name: string;
  readonly replicas: number;
  readonly availableReplicas: number;
  readonly invocationCount: number;
  readonly createdAt: string;
  readonly usage?: { readonly cpu: number; readonly totalMemoryBytes: number };
}

export interface LogLine {
  readonly name: string;
  readonly namespace: string;
  readonly instance: string;
  readonly timestamp: string;
  readonly text: string;
}

export interface LogsQuery {
  readonly namespace?: string;
  readonly instance?: string;
  readonly tail?: number;
  readonly since?: Date;
}

export interface InvokeOptions {
  readonly namespace?: string;
  readonly method?: string;
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly async?: boolean;
}

/** An answer of the API. */
export class ApiAnswer {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly body: Buffer;

  constructor(answer: HttpAnswer) {
    this.status = answer.status;
    this.headers = answer.headers;
    this.body = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(answer.body) : answer.body;
  }

  get text(): string {
    return this.body.toString();
  }

  json(): unknown {
    return JSON.parse(this.text);
  }
}

/** Calls the gateway's API as one user. No method throws for a status: the caller looks at it. */
export class OpenFaasApi {
  readonly gatewayUrl: string;
  readonly #credentials: Credentials | undefined;

  constructor(gatewayUrl: string, credentials?: Credentials) {
    this.gatewayUrl = gatewayUrl;
    this.#credentials = credentials;
  }

  as(credentials: Credentials | undefined): OpenFaasApi {
    return new OpenFaasApi(this.gatewayUrl, credentials);
  }

  listFunctions(namespace?: string): Promise<ApiAnswer> {
    return this.request('GET', `/system/functions${queryOf({ namespace })}`);
  }

  getFunction(name: string, namespace?: string): Promise<ApiAnswer> {
    return this.request('GET', `/system/function/${name}${queryOf({ namespace, usage: '1' })}`);
  }

  createFunction(deployment: FunctionDeployment): Promise<ApiAnswer> {
    return this.request('POST', '/system/functions', deployment);
  }

  updateFunction(deployment: FunctionDeployment): Promise<ApiAnswer> {
    return this.request('PUT', '/system/functions', deployment);
  }

  deleteFunction(functionName: string, namespace?: string): Promise<ApiAnswer> {
    const body = namespace === undefined ? { functionName } : { functionName, namespace };
    return this.request('DELETE', `/system/functions${queryOf({ namespace })}`, body);
  }

  scaleFunction(serviceName: string, replicas: number, namespace?: string): Promise<ApiAnswer> {
    const body = namespace === undefined ? { serviceName, replicas } : { serviceName, replicas, namespace };
    return this.request('POST', `/system/scale-function/${serviceName}${queryOf({ namespace })}`, body);
  }

  invoke(name: string, body: Buffer | string, options: InvokeOptions = {}): Promise<ApiAnswer> {
    const route = options.async === true ? 'async-function' : 'function';
    const fullName = options.namespace === undefined ? name : `${name}.${options.namespace}`;
    return this.#send(options.method ?? 'POST', `/${route}/${fullName}${queryOf(options.query ?? {})}`, body, {
      'Content-Type': options.contentType ?? 'text/plain',
      ...options.headers,
    });
  }

  readLogs(name: string, query: LogsQuery = {}): Promise<ApiAnswer> {
    return this.request('GET', this.logsPath(name, { ...query, follow: false }));
  }

  logsPath(name: string, query: LogsQuery & { readonly follow: boolean }): string {
    const { namespace, instance, tail, since } = query;
    return `/system/logs${queryOf({
      name,
      namespace,
      instance,
      follow: String(query.follow),
      since: since?.toISOString(),
      tail: String(tail ?? -1), // all of them
    })}`;
  }

  listSecrets(namespace?: string): Promise<ApiAnswer> {
    return this.request('GET', `/system/secrets${queryOf({ namespace })}`);
  }

  createSecret(name: string, value: string, namespace?: string): Promise<ApiAnswer> {
    return this.request('POST', '/system/secrets', { name, value, ...(namespace === undefined ? {} : { namespace }) });
  }

  updateSecret(name: string, value: string, namespace?: string): Promise<ApiAnswer> {
    return this.request('PUT', '/system/secrets', { name, value, ...(namespace === undefined ? {} : { namespace }) });
  }

  deleteSecret(name: string, namespace?: string): Promise<ApiAnswer> {
    return this.request('DELETE', '/system/secrets', { name, ...(namespace === undefined ? {} : { namespace }) });
  }

  listNamespaces(): Promise<ApiAnswer> {
    return this.request('GET', '/system/namespaces');
  }

  createNamespace(name: string, labels: Record<string, string> = {}): Promise<ApiAnswer> {
    return this.request('POST', '/system/namespace/', { name, labels });
  }

  getNamespace(name: string): Promise<ApiAnswer> {
    return this.request('GET', `/system/namespace/${name}`);
  }

  updateNamespace(name: string, labels: Record<string, string>): Promise<ApiAnswer> {
    return this.request('PUT', `/system/namespace/${name}`, { name, labels });
  }

  deleteNamespace(name: string): Promise<ApiAnswer> {
    return this.request('DELETE', `/system/namespace/${name}`, { name });
  }

  info(): Promise<ApiAnswer> {
    return this.request('GET', '/system/info');
  }

  healthz(): Promise<ApiAnswer> {
    return this.request('GET', '/healthz');
  }

  /** Any call of the API; a body that is no text is sent as JSON. */
  request(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    if (body === undefined) return this.#send(method, path, '', {});
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.#send(method, path, text, { 'Content-Type': 'application/json' });
  }

  /** The headers that faas-cli puts on every call. */
  get headers(): Record<string, string> {
    const common = { 'User-Agent': 'faas-cli/0.17.4', 'Accept-Encoding': 'gzip' };
    if (this.#credentials === undefined) return common;
    const { user, password } = this.#credentials;
    return { ...common, Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }

  async #send(
    method: string,
    path: string,
    body: Buffer | string,
    headers: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer> {
    const options = { method, body, headers: { ...this.headers, ...headers } };
    return new ApiAnswer(await exchange(`${this.gatewayUrl}${path}`, options));
  }
}

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
