// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** A request whose body is sent, and whose answer is read, piece by piece. */
export class HttpStream {
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;
  #received = '';
  #failure: Error | undefined;
  #isEnded = false;

  constructor(url: string, options: { method?: string; headers?: Record<string, string> } = {}) {
    this.#request = request(url, { method: options.method ?? 'POST', agent: false, headers: options.headers });
    this.#request.on('error', (error) => (this.#failure = error));
    this.#request.flushHeaders();
  }

  send(piece: string | Buffer): void {
    this.#request.write(piece);
  }

  endBody(): void {
    this.#request.end();
  }

  /** Goes away without a word to the other side. */
  abort(): void {
    this.#request.destroy();
  }

  /** Waits for the head of the answer. */
  async response(): Promise<IncomingMessage> {
    if (this.#response !== undefined) return this.#response;
    const [response] = (await once(this.#request, 'response')) as [IncomingMessage];
    this.#response = response;
    response.on('data', (data: Buffer) => (this.#received += data.toString()));
    response.on('end', () => (this.#isEnded = true));
    response.on('error', (error) => (this.#failure = error));
    return response;
  }

  /** All of the body that has come so far. */
  get received(): string {
    return this.#received;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Why the exchange broke off, if it did. */
  get failure(): Error | undefined {
    return this.#failure;
  }
}
