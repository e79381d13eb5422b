// SPDX-License-Identifier: Apache-2.0

/**
 * Names of all Redis keys of one stack. Two stacks can share a server.
 *
 *   <prefix>meta                    hash    schema, storeId
 *   <prefix>lease                   hash    owner, epoch; expires
 *   <prefix>epoch                   number  last lease epoch given out
 *   <prefix>counter                 number  last generation or secret revision given out; never reused
 *   <prefix>routes                  number  last route version base given out
 *   <prefix>namespaces              hash    name -> JSON
 *   <prefix>functions:<ns>          set     names of the namespace's functions
 *   <prefix>fn:<ns>:<name>          hash    desired state of a function
 *   <prefix>replicas:<ns>:<name>    hash    instance id -> JSON
 *   <prefix>secrets:<ns>            hash    name -> JSON with the sealed value
 *
 * Names hold no `:`, so keys cannot collide. The scripts touch several keys: a Redis Cluster is not supported.
 */
export class StateKeys {
  readonly #prefix: string;

  constructor(stack: string) {
    this.#prefix = `junction:${stack}:`;
  }

  get meta(): string {
    return `${this.#prefix}meta`;
  }

  get lease(): string {
    return `${this.#prefix}lease`;
  }

  get epoch(): string {
    return `${this.#prefix}epoch`;
  }

  get counter(): string {
    return `${this.#prefix}counter`;
  }

  get routes(): string {
    return `${this.#prefix}routes`;
  }

  get namespaces(): string {
    return `${this.#prefix}namespaces`;
  }

  functions(namespace: string): string {
    return `${this.#prefix}functions:${namespace}`;
  }

  fn(namespace: string, name: string): string {
    return `${this.#prefix}fn:${namespace}:${name}`;
  }

  replicas(namespace: string, name: string): string {
    return `${this.#prefix}replicas:${namespace}:${name}`;
  }

  secrets(namespace: string): string {
    return `${this.#prefix}secrets:${namespace}`;
  }
}
