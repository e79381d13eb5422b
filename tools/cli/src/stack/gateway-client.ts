// SPDX-License-Identifier: Apache-2.0
// The little of the OpenFaaS API that ./junction itself uses.
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

import { authorization } from './credentials.ts';
import type { StackSettings } from './stack-settings.ts';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface FunctionStatus {
  readonly name: string;
  readonly image: string;
  readonly namespace?: string;
  readonly replicas?: number;
  readonly availableReplicas?: number;
  readonly invocationCount?: number;
  readonly annotations?: Record<string, string>;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: Buffer | string;
  readonly needsAuth?: boolean;
  readonly timeoutMs?: number;
}

/** Where people and programs reach the stack. */
export function gatewayUrl(settings: StackSettings): string {
  return `http://127.0.0.1:${settings.ports.gateway}`;
}

/** Calls the gateway over one kept connection. */
export class GatewayClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  private readonly settings: StackSettings;

  constructor(settings: StackSettings) {
    this.settings = settings;
  }

  /** Throws if there is no answer within the time (30 s unless said otherwise). */
  async call(call: Call): Promise<Answer> {
    const headers = {
      ...(call.needsAuth === true ? { authorization: authorization(this.settings.paths) } : {}),
      ...(call.body === undefined ? {} : { 'content-length': Buffer.byteLength(call.body) }),
    };
    return new Promise((resolve, reject) => {
      const timeoutMs = call.timeoutMs ?? 30_000;
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.settings.ports.gateway,
          agent: this.agent,
          method: call.method,
          path: call.path,
          headers,
          timeout: timeoutMs,
        },
        (response) => {
          buffer(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
        },
      );
      sent.on('timeout', () =>
        sent.destroy(new Error(`no answer to ${call.method} ${call.path} within ${timeoutMs} ms`)),
      );
      sent.on('error', reject);
      sent.end(call.body);
    });
  }

  /** Undefined if there is no such function. */
  async describe(name: string): Promise<FunctionStatus | undefined> {
    const answer = await this.call({ method: 'GET', path: `/system/function/${name}`, needsAuth: true });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status}: ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString()) as FunctionStatus;
  }

  async list(): Promise<FunctionStatus[]> {
    const answer = await this.call({ method: 'GET', path: '/system/functions', needsAuth: true, timeoutMs: 3_000 });
    if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status}: ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString()) as FunctionStatus[];
  }

  /** Updates the function, or deploys it if it is new, as faas-cli does. */
  async deploy(deployment: Record<string, unknown>): Promise<void> {
    const body = JSON.stringify(deployment);
    const path = '/system/functions';
    const options = { path, body, needsAuth: true, timeoutMs: 120_000 };
    let answer = await this.call({ method: 'PUT', ...options });
    if (answer.status === 404) answer = await this.call({ method: 'POST', ...options });
    if (answer.status < 200 || answer.status > 202) {
      throw new Error(`the deployment was refused: ${answer.status} ${answer.body.toString()}`);
    }
  }

  close(): void {
    this.agent.destroy();
  }
}
