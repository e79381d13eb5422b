// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { credentials as channelCredentials, ServerCredentials, type ChannelCredentials } from '@grpc/grpc-js';
import { ConfigError, Secret, type Address } from '@junctiond/config';

/** What both sides of gRPC on TCP show each other. On unix sockets the socket's mode decides and nothing of it is used. */
export interface RpcCredentials {
  /** Carried by each call as `authorization: Bearer …`. */
  readonly token?: Secret;
  /** mTLS; PEM. */
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** The shortest token that is accepted: 128 bits in base64 are 22 characters, in hex 32. */
const shortestToken = 16;

/**
 * Reads the files that an app's `rpcFields` name.
 * @throws ConfigError when one cannot be read or the token is too short to be one.
 */
export function readRpcCredentials(config: {
  readonly rpcTokenFile: string | undefined;
  readonly rpcTlsCaFile: string | undefined;
  readonly rpcTlsCertFile: string | undefined;
  readonly rpcTlsKeyFile: string | undefined;
}): RpcCredentials {
  const faults: string[] = [];
  const read = (file: string | undefined): Buffer | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const token = read(config.rpcTokenFile)?.toString('utf8').trim();
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    faults.push(`${config.rpcTokenFile ?? ''} is not one line of printable characters`);
  } else if (token !== undefined && token.length < shortestToken) {
    faults.push(`the token in ${config.rpcTokenFile ?? ''} is shorter than ${shortestToken} characters`);
  }
  const ca = read(config.rpcTlsCaFile);
  const cert = read(config.rpcTlsCertFile);
  const key = read(config.rpcTlsKeyFile);
  if (faults.length > 0) throw new ConfigError('rpc', faults);
  return {
    ...(token === undefined ? {} : { token: new Secret(token) }),
    ...(ca !== undefined && cert !== undefined && key !== undefined ? { tls: { ca, cert, key } } : {}),
  };
}

/** How a client's channel to `address` is secured. */
export function toChannelCredentials(address: Address, { tls }: RpcCredentials): ChannelCredentials {
  if (address.kind === 'unix' || tls === undefined) return channelCredentials.createInsecure();
  return channelCredentials.createSsl(tls.ca, tls.key, tls.cert);
}

/** How a server on `address` is secured; a client without a certificate of the same authority is refused. */
export function toServerCredentials(address: Address, { tls }: RpcCredentials): ServerCredentials {
  if (address.kind === 'unix' || tls === undefined) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true);
}
