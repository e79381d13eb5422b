// SPDX-License-Identifier: Apache-2.0

export const DEFAULT_NAMESPACE = 'openfaas-fn';

/** Which function: its name is unique within its namespace. */
export interface FunctionKey {
  readonly namespace: string;
  readonly name: string;
}

/** `name.namespace`, as routes, metrics and people write it; namespaces hold no dot, so it is unique. */
export function routeName(key: FunctionKey): string {
  return `${key.name}.${key.namespace}`;
}

/** A request's key: an empty namespace is the default one. */
export function functionKey(request: { readonly name: string; readonly namespace: string }): FunctionKey {
  return { namespace: namespaceOrDefault(request.namespace), name: request.name };
}

export function namespaceOrDefault(namespace: string): string {
  return namespace === '' ? DEFAULT_NAMESPACE : namespace;
}
