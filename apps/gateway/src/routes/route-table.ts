// SPDX-License-Identifier: Apache-2.0
import { Injectable } from '@nestjs/common';
import type { functionV1 } from '@junctiond/contracts';

/** The routes as they last came from the provider; they stay while it is away. */
@Injectable()
export class RouteTable {
  readonly #routes = new Map<string, functionV1.Route>();
  #version: bigint | undefined;

  /** Whether the provider's stream is up. */
  isConnected = false;
  readonly #first = Promise.withResolvers<undefined>();

  /** Resolves when the first routes are there. */
  get filled(): Promise<undefined> {
    return this.#first.promise;
  }

  /** The version of the last update; undefined before the first. */
  get version(): bigint | undefined {
    return this.#version;
  }

  /** All routes, of every namespace. */
  all(): Iterable<functionV1.Route> {
    return this.#routes.values();
  }

  /** Takes an update: the whole table or a delta, which may lead over several versions. */
  apply({ snapshot, version, upserts, removes }: functionV1.RouteUpdate): void {
    if (snapshot) this.#routes.clear();
    for (const name of removes) this.#routes.delete(name);
    for (const route of upserts) this.#routes.set(route.functionName, route);
    this.#version = version;
    this.#first.resolve(undefined);
  }

  /** All routes as one update; undefined before the first. */
  snapshot(): functionV1.RouteUpdate | undefined {
    if (this.#version === undefined) return undefined;
    return { snapshot: true, version: this.#version, upserts: [...this.#routes.values()], removes: [] };
  }
}
