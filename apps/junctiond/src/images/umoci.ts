// SPDX-License-Identifier: Apache-2.0
// Unpacks an OCI layout's image into a folder, by umoci(1): layers in order, whiteouts applied, digests checked, and nothing
// written outside the folder whatever a layer says. As root with the image's own owners and modes: the sandbox maps ids.
import type { RunCommand } from '../command.js';
import { errorText, JunctiondError } from '../junctiond.error.js';
import { LAYOUT_TAG } from './skopeo.js';

export interface UmociOptions {
  readonly file: string;
  readonly timeoutMs: number;
}

export class Umoci {
  readonly #options: UmociOptions;
  readonly #run: RunCommand;

  constructor(options: UmociOptions, run: RunCommand) {
    this.#options = options;
    this.#run = run;
  }

  /** Makes `rootfsDir`, which must not exist. Throws invalid_argument when the image's layers are damaged or hostile. */
  async unpack(layoutDir: string, rootfsDir: string): Promise<void> {
    const { file, timeoutMs } = this.#options;
    const args = ['raw', 'unpack', '--image', `${layoutDir}:${LAYOUT_TAG}`, rootfsDir];
    let result;
    try {
      result = await this.#run({
        file,
        args,
        env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C' },
        timeoutMs,
      });
    } catch (cause) {
      throw new JunctiondError('failed_precondition', `${file} cannot be started: ${errorText(cause)}`, { cause });
    }
    if (result.hasTimedOut) {
      throw new JunctiondError('deadline_exceeded', 'unpacking the image took too long');
    }
    if (result.exitCode !== 0) {
      const detail = (result.stderr || result.stdout.toString('utf8')).trimEnd().split('\n').at(-1) ?? '';
      const reason = detail.replace(/^[\s⨯]+/, '').slice(0, 500);
      const kind = reason.includes('no space left on device') ? 'resource_exhausted' : 'invalid_argument';
      throw new JunctiondError(kind, `the image's layers cannot be unpacked: ${reason}`);
    }
  }
}
