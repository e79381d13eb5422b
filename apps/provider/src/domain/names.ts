// SPDX-License-Identifier: Apache-2.0
// What things may be called. Each rule answers the fault, or undefined for a good name.

/** A function's name is part of a host name (63: RFC 1035, 2.3.4), a Redis key and an instance id. */
const FUNCTION_NAME = /^[a-zA-Z0-9][-a-zA-Z0-9_.]{0,62}$/;
/** As Kubernetes names namespaces (RFC 1123 label); no dot, since `name.namespace` splits at the last one. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
/** A secret's name is a file name inside the instance. */
const SECRET_NAME = /^(?!\.{1,2}$)[-._a-zA-Z0-9]{1,253}$/;

export function nameFault(name: string): string | undefined {
  if (name === '') {
    return 'is missing';
  }
  return FUNCTION_NAME.test(name)
    ? undefined
    : `is ${quote(name)}, expected 1 to 63 letters, digits, - _ and . beginning with a letter or digit`;
}

export function namespaceFault(name: string): string | undefined {
  return NAMESPACE.test(name)
    ? undefined
    : `is ${quote(name)}, expected 1 to 63 lower-case letters, digits and -, beginning and ending with a letter or digit`;
}

export function secretNameFault(name: string): string | undefined {
  return SECRET_NAME.test(name)
    ? undefined
    : `has the name ${quote(name)}, expected 1 to 253 letters, digits, - _ and .`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
