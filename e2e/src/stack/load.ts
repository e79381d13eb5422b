// SPDX-License-Identifier: Apache-2.0
import { exchange, keepAliveAgent } from '@junctiond/testing';
import { randomBytes } from 'node:crypto';
import { encryptedHex } from './aes.js';

export interface LoadResult {
  /** Requests with the right answer. */
  readonly answered: number;
  /** What went wrong with each of the others. */
  readonly failures: readonly string[];
}

/**
 * Invokes an AES function over several keep-alive connections, one request after another on each, and checks every
 * answer, until it is stopped.
 */
export class Load {
  #isStopped = false;
  #answered = 0;
  readonly #failures: string[] = [];
  readonly #clients: Promise<void>[];

  constructor(url: string, connections: number) {
    this.#clients = Array.from({ length: connections }, () => this.#runClient(url));
  }

  get answered(): number {
    return this.#answered;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  async stop(): Promise<LoadResult> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    return { answered: this.#answered, failures: this.#failures };
  }

  async #runClient(url: string): Promise<void> {
    const agent = keepAliveAgent(1);
    while (!this.#isStopped) {
      const plain = randomBytes(600);
      try {
        const answer = await exchange(url, { body: plain, agent });
        if (answer.status !== 200) this.#failures.push(`${answer.status}: ${answer.body.toString()}`);
        else if (answer.body.toString() !== encryptedHex(plain)) this.#failures.push('a wrong answer');
        else this.#answered++;
      } catch (error) {
        this.#failures.push(error instanceof Error ? error.message : String(error));
        // A refused connection answers at once: without a pause this would only spin.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    agent.destroy();
  }
}
