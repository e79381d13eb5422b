// SPDX-License-Identifier: Apache-2.0

/** The namespace of names that do not say one. */
export const defaultNamespace = 'openfaas-fn';

/** A function's name, taken apart. */
export interface FunctionName {
  readonly name: string;
  readonly namespace: string;
}

/** Takes `name` or `name.namespace` apart (at the last dot) unless the namespace is given beside it. */
export function parseFunctionName(text: string, namespace?: string): FunctionName {
  if (namespace !== undefined && namespace !== '') {
    const suffix = `.${namespace}`;
    return { name: text.endsWith(suffix) ? text.slice(0, -suffix.length) : text, namespace };
  }
  const dot = text.lastIndexOf('.');
  if (dot <= 0 || dot === text.length - 1) return { name: text, namespace: defaultNamespace };
  return { name: text.slice(0, dot), namespace: text.slice(dot + 1) };
}

/** `name.namespace`, the form of routes and metrics. */
export function formatFunctionName({ name, namespace }: FunctionName): string {
  return `${name}.${namespace}`;
}
