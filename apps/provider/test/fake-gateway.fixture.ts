// SPDX-License-Identifier: Apache-2.0
import { functionV1 } from '@junctiond/contracts';
import { createClient, type RpcClient, watchWithReconnect } from '@junctiond/rpc';

type RouteService = typeof functionV1.RouteServiceService;

/** Follows the routes as a gateway does, and reports what it is told to. */
export class FakeGateway {
  readonly id: string;
  readonly table = new Map<string, functionV1.Route>();
  /** Every update that came, in order. */
  readonly updates: functionV1.RouteUpdate[] = [];
  version = 0n;
  /** Replicas that this gateway pretends to have requests in flight with. */
  busy: readonly string[] = [];
  /** False: a gateway of a kind that does not report. */
  reports = true;
  readonly #client: RpcClient<RouteService>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(socketPath: string, id = 'gateway-1') {
    this.id = id;
    this.#client = createClient(
      functionV1.RouteServiceService,
      { kind: 'unix', path: socketPath },
      { deadlineMs: 10_000 },
    );
  }

  start(): this {
    this.#running = watchWithReconnect({
      open: (signal) => this.#client.watchRoutes({ gatewayId: this.id }, { deadlineMs: Infinity, signal }),
      onItem: async (update) => {
        this.#apply(update);
        await this.report();
      },
      signal: this.#stop.signal,
      backoff: { firstMs: 10, longestMs: 50 },
    });
    return this;
  }

  async report(): Promise<void> {
    if (this.reports) {
      await this.#client.reportRoutes({
        gatewayId: this.id,
        appliedVersion: this.version,
        busyReplicas: [...this.busy],
      });
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#client.close();
  }

  /** Ids of the replicas that get requests for a function. */
  serving(name: string): string[] {
    return (this.table.get(name)?.replicas ?? []).filter(({ draining }) => !draining).map(({ id }) => id);
  }

  draining(name: string): string[] {
    return (this.table.get(name)?.replicas ?? []).filter(({ draining }) => draining).map(({ id }) => id);
  }

  #apply(update: functionV1.RouteUpdate): void {
    this.updates.push(update);
    this.version = update.version;
    if (update.snapshot) {
      this.table.clear();
    }
    for (const route of update.upserts) {
      this.table.set(route.functionName, route);
    }
    for (const name of update.removes) {
      this.table.delete(name);
    }
  }
}
