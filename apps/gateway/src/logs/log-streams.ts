// SPDX-License-Identifier: Apache-2.0
import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Ends followed logs when the gateway stops: they have no end of their own, and draining would wait for them. */
@Injectable()
export class LogStreams implements OnModuleDestroy {
  readonly #stopping = new AbortController();
  readonly #open = new Set<Promise<void>>();

  /** Aborted when the gateway stops. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Lets the gateway's stop wait for a stream's end. */
  async track(stream: Promise<void>): Promise<void> {
    this.#open.add(stream);
    try {
      await stream;
    } finally {
      this.#open.delete(stream);
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#open);
  }
}
