// SPDX-License-Identifier: Apache-2.0
// Brings images from where they are into an OCI layout, by skopeo(1): it knows registries, their credentials and archives,
// and checks every blob's digest on the way.
import { createHash } from 'node:crypto';

import type { CommandResult, RunCommand } from '../command.js';
import { errorText, JunctiondError } from '../junctiond.error.js';
import type { ImageReference, RegistryReference } from './image-reference.js';
import { skopeoError } from './skopeo-error.js';

export interface SkopeoOptions {
  readonly file: string;
  /** docker's config.json; given to skopeo as a path only. */
  readonly authFile?: string;
  /** Registries (`host` or `host:port`) that may be spoken to over plain HTTP or with an unknown certificate. */
  readonly insecureRegistries: readonly string[];
  /** The host's signature policy; absent: everything is accepted. */
  readonly policyFile?: string;
  /** HTTP proxy for registries, and the hosts that are reached without it. */
  readonly proxy?: { readonly url: string; readonly except: readonly string[] };
  readonly timeoutMs: number;
  /** For what skopeo unpacks on its way; on the same file system as the cache. */
  readonly tmpDir: string;
}

/** The tag under which `copy` names the image in its layout. */
export const LAYOUT_TAG = 'image';

export class Skopeo {
  readonly #options: SkopeoOptions;
  readonly #run: RunCommand;

  constructor(options: SkopeoOptions, run: RunCommand) {
    this.#options = options;
    this.#run = run;
  }

  /** The digest that a registry answers for a reference: of the manifest or index itself, as docker shows it. */
  async resolveDigest(reference: RegistryReference): Promise<string> {
    const { tlsVerify, authFile } = this.#access(reference);
    const result = await this.#skopeo(reference, ['inspect', '--raw', ...tlsVerify, ...authFile, sourceOf(reference)]);
    return `sha256:${createHash('sha256').update(result.stdout).digest('hex')}`;
  }

  /** Copies the image into the layout folder, which is made if it is missing, as LAYOUT_TAG. */
  async copy(reference: ImageReference, layoutDir: string): Promise<void> {
    const { tlsVerify, authFile } = reference.kind === 'registry' ? this.#access(reference) : NO_ACCESS;
    await this.#skopeo(reference, [
      'copy',
      '--quiet',
      ...tlsVerify.map((flag) => flag.replace('--', '--src-')),
      ...authFile.map((flag) => flag.replace('--authfile', '--src-authfile')),
      sourceOf(reference),
      `oci:${layoutDir}:${LAYOUT_TAG}`,
    ]);
  }

  async #skopeo(reference: ImageReference, args: readonly string[]): Promise<CommandResult> {
    const { file, policyFile, timeoutMs, tmpDir } = this.#options;
    const policy = policyFile === undefined ? ['--insecure-policy'] : ['--policy', policyFile];
    let result: CommandResult;
    try {
      result = await this.#run({
        file,
        args: [...policy, '--tmpdir', tmpDir, ...args],
        // No home: credentials come from the configured file or not at all.
        env: { PATH: HELPER_PATH, HOME: '/nonexistent', TMPDIR: tmpDir, LC_ALL: 'C', ...this.#proxyEnv() },
        timeoutMs,
      });
    } catch (cause) {
      throw new JunctiondError('failed_precondition', `${file} cannot be started: ${errorText(cause)}`, { cause });
    }
    if (result.exitCode !== 0) {
      throw skopeoError(sourceOf(reference), result);
    }
    return result;
  }

  #proxyEnv(): Record<string, string> {
    const { proxy } = this.#options;
    return proxy === undefined
      ? {}
      : { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: proxy.except.join(',') };
  }

  #access({ registry }: RegistryReference): { tlsVerify: string[]; authFile: string[] } {
    const { insecureRegistries, authFile } = this.#options;
    return {
      tlsVerify: insecureRegistries.includes(registry) ? ['--tls-verify=false'] : [],
      authFile: authFile === undefined ? [] : [`--authfile=${authFile}`],
    };
  }
}

const NO_ACCESS: { tlsVerify: string[]; authFile: string[] } = { tlsVerify: [], authFile: [] };
/** For skopeo's own helpers (gpg); nothing else is searched. */
const HELPER_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The reference in skopeo's words. skopeo takes a tag or a digest of a registry's image, never both. */
function sourceOf(reference: ImageReference): string {
  if (reference.kind === 'registry') {
    const { registry, repository, tag, digest } = reference;
    return `docker://${registry}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`;
  }
  return `${reference.kind}:${reference.path}${reference.tag === undefined ? '' : `:${reference.tag}`}`;
}
