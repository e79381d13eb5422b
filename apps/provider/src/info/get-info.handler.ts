// SPDX-License-Identifier: Apache-2.0
import { readBuildInfo } from '@junctiond/config';
import { functionV1 } from '@junctiond/contracts';
import { RpcHandler } from '@junctiond/rpc/nest';

/** The names that uname(1) has for Node.js's architectures, as OpenFaaS answers them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

@RpcHandler(functionV1.InfoServiceService.getInfo)
export class GetInfoHandler {
  readonly #info: functionV1.GetInfoResponse;

  constructor() {
    const { release, sha } = readBuildInfo();
    this.#info = {
      provider: 'junctiond',
      orchestration: 'junction',
      version: release,
      sha,
      arch: ARCHITECTURES[process.arch] ?? process.arch,
    };
  }

  handle(): Promise<functionV1.GetInfoResponse> {
    return Promise.resolve(this.#info);
  }
}
