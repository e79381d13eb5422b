// SPDX-License-Identifier: Apache-2.0

/** Names which values of which secrets a replica holds; equal texts mean equal contents. Order does not matter. */
export function secretsRevisionOf(secrets: readonly { readonly name: string; readonly revision: number }[]): string {
  return secrets
    .map(({ name, revision }) => `${name}@${revision}`)
    .sort()
    .join(',');
}
