// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Inject } from '@nestjs/common';
import { readBuildInfo, type BuildInfo } from '@junctiond/config';
import { INFO, type InfoClient } from '../provider/provider-clients.js';

/** What GET /system/info answers. */
export interface SystemInfo {
  readonly provider: { readonly provider: string; readonly orchestration: string; readonly version: BuildInfo };
  readonly version: BuildInfo;
  readonly arch: string;
}

/** GET /system/info: versions of the gateway and the provider. */
@Controller()
export class InfoHandler {
  readonly #version = readBuildInfo();

  constructor(@Inject(INFO) private readonly info: InfoClient) {}

  @Get('/system/info')
  async handle(): Promise<SystemInfo> {
    const { provider, orchestration, version, sha, arch } = await this.info.getInfo({});
    return { provider: { provider, orchestration, version: { sha, release: version } }, version: this.#version, arch };
  }
}
