// SPDX-License-Identifier: Apache-2.0
import { Injectable } from '@nestjs/common';

/** Which methods each path of the API has, so that an unknown method is told from an unknown path. */
@Injectable()
export class RouteMethods {
  readonly #routes = new Map<string, { readonly matches: RegExp; readonly methods: Set<string> }>();

  /** Takes a route as Fastify writes it: `/system/function/:name`, `/ui/*`. */
  add(pattern: string, methods: readonly string[]): void {
    const route = this.#routes.get(pattern) ?? { matches: toRegExp(pattern), methods: new Set<string>() };
    this.#routes.set(pattern, route);
    for (const method of methods) route.methods.add(method);
  }

  /** The methods that a path has; empty: there is no such path. */
  methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const route of this.#routes.values()) {
      if (route.matches.test(path)) route.methods.forEach((method) => methods.add(method));
    }
    return [...methods].sort();
  }
}

function toRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/\/$/, '')
    .replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replace(/\*.*$/, '.*')
    .replace(/:[^/]+/g, '[^/]+');
  return new RegExp(`^${source}/?$`);
}
