// SPDX-License-Identifier: Apache-2.0

/** Where a gRPC server listens: a unix socket, or TCP. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** The longest path that fits into sockaddr_un.sun_path (108 bytes with the final zero, unix(7)). */
export const longestUnixPathBytes = 107;

/** Reads `unix:/absolute/path` or `host:port`; a string is the fault. */
export function parseAddress(text: string): Address | string {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) return `is ${JSON.stringify(text)}, expected unix:/absolute/path`;
    if (Buffer.byteLength(path) > longestUnixPathBytes) {
      return `is longer than the ${longestUnixPathBytes} bytes of a socket path: ${JSON.stringify(path)}`;
    }
    return { kind: 'unix', path };
  }
  const tcp = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[a-zA-Z0-9.-]+)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(tcp?.groups?.['port']);
  const host = tcp?.groups?.['v6'] ?? tcp?.groups?.['host'];
  if (host === undefined || port > 65535) {
    return `is ${JSON.stringify(text)}, expected unix:/absolute/path or host:port`;
  }
  return { kind: 'tcp', host, port };
}

/** The text form that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
