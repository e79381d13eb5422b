// SPDX-License-Identifier: Apache-2.0
import { loadAddon, type NativeIngress } from './addon.js';
import type { DrainResult, IngressEvents, IngressMetrics, IngressOptions, RouteUpdate } from './ingress.types.js';
import { resolveIngressOptions } from './ingress-options.js';
import { native, NativeError } from './native-error.js';

/**
 * The gateway's hot path: C++ threads that serve `/function/NAME` from a local route table and pass the rest to the
 * API's unix socket. Never enters JavaScript for a request. One per process is usual, several work.
 */
export class Ingress {
  readonly #native: NativeIngress;
  #stopped = false;

  private constructor(ingress: NativeIngress) {
    this.#native = ingress;
    queueMicrotask(() => {
      ingress.serve();
    });
  }

  /**
   * Listens at once and serves as soon as the calling code has run to its end: routes that it applies right after this
   * call are there from the first request on, and until then connections wait. Throws NativeError: `ERR_NATIVE_OPTION` naming all faulty options, or an errno
   * (`EADDRINUSE`, `EACCES`, …). It keeps the process alive until `stop`.
   */
  static start(options: IngressOptions, events: IngressEvents): Ingress {
    const resolved = resolveIngressOptions(options);
    const addon = loadAddon();
    return new Ingress(
      native(
        () =>
          new addon.Ingress(resolved, (kind, text) => {
            if (kind === 'coldStart') {
              events.onColdStart(text);
            } else if (kind === 'replicaIdle') {
              events.onReplicaIdle(text);
            } else {
              events.onError(new NativeError('ERR_NATIVE_INGRESS', text));
            }
          }),
      ),
    );
  }

  /** The port it listens on. */
  get port(): number {
    return this.#native.port;
  }

  /** Swaps the route table; takes effect for the next request of each worker, held requests are looked at again at once. */
  applyRoutes(update: RouteUpdate): void {
    this.#live();
    native(() => {
      this.#native.applyRoutes(update);
    });
  }

  /** Answers all requests that wait for this function's first replica with `status` (503, 504) and a body that gives `message`. */
  failHeld(functionName: string, status: number, message: string): void {
    this.#live();
    if (!Number.isInteger(status) || status < 500 || status > 599) {
      throw new NativeError('ERR_NATIVE_OPTION', `status must be 500 to 599, not ${status}`);
    }
    native(() => {
      this.#native.failHeld(functionName, status, message);
    });
  }

  /** Ids of replicas that are draining, or no longer in the table, and still serve requests of this ingress. */
  busyReplicas(): string[] {
    return native(() => this.#native.busyReplicas());
  }

  /** What was counted since the start. Takes no lock of the workers; the figures are of nearly the same moment. */
  metrics(): IngressMetrics {
    return native(() => this.#native.metrics());
  }

  /** Stops accepting, lets what is in flight finish, cuts off the rest at the deadline, then stops. */
  async drain(deadlineMs: number): Promise<DrainResult> {
    this.#live();
    if (!Number.isFinite(deadlineMs) || deadlineMs < 0) {
      throw new NativeError('ERR_NATIVE_OPTION', `deadlineMs must not be negative, not ${deadlineMs}`);
    }
    const result = await this.#native.drain(Math.ceil(deadlineMs));
    this.stop();
    return result;
  }

  /** Closes everything at once and joins the workers. Any number of times. */
  stop(): void {
    if (!this.#stopped) {
      this.#stopped = true;
      native(() => {
        this.#native.stop();
      });
    }
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #live(): void {
    if (this.#stopped) {
      throw new NativeError('ERR_NATIVE_CLOSED', 'the ingress is stopped');
    }
  }
}
