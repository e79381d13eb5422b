// SPDX-License-Identifier: Apache-2.0
// Has the programs and libraries of an image scanned for syscall sites once, by junction_plan, so that no start has to: that
// takes a millisecond for a static Go program, ten and more for Node.js. An image without plans starts all the same.
import { chown, mkdir, stat } from 'node:fs/promises';

import type { RunCommand } from '../command.js';
import { errorCode, errorText, JunctiondError } from '../junctiond.error.js';

export interface PatchPlannerOptions {
  /** Path of junction_plan. */
  readonly file: string;
  readonly timeoutMs: number;
}

/** Linux's overflow user, "nobody": owns nothing else. */
const NOBODY = 65_534;
/**
 * junction_plan reads files that anybody may have made, so it has no right but to read every file of the image (capabilities(7)).
 */
const UNPRIVILEGED = [
  ...['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', '--no-new-privs'],
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
  '--bounding-set=-all,+dac_read_search',
];

export class PatchPlanner {
  readonly #options: PatchPlannerOptions;
  readonly #run: RunCommand;

  constructor(options: PatchPlannerOptions, run: RunCommand) {
    this.#options = options;
    this.#run = run;
  }

  /** Names this build of junction_plan: plans of another one are made anew. Undefined when there is no junction_plan. */
  async stamp(): Promise<string | undefined> {
    try {
      const info = await stat(this.#options.file);
      return `${info.size.toString(36)}-${Math.floor(info.mtimeMs).toString(36)}`;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') {
        return undefined;
      }
      throw error;
    }
  }

  /** Makes `outDir` and writes the plans of all programs below `rootfsDir` into it. Throws when that fails. */
  async plan(rootfsDir: string, outDir: string): Promise<void> {
    const { file, timeoutMs } = this.#options;
    await mkdir(outDir, { mode: 0o700 });
    await chown(outDir, NOBODY, NOBODY);
    const args = [...UNPRIVILEGED, file, '--out', outDir, rootfsDir];
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
    let result;
    try {
      result = await this.#run({ file: 'setpriv', args, env, timeoutMs });
    } catch (cause) {
      throw new JunctiondError('internal', `setpriv cannot be started: ${errorText(cause)}`, { cause });
    }
    if (result.exitCode !== 0) {
      const detail = (result.stderr || result.stdout.toString('utf8')).trimEnd().split('\n').at(-1) ?? '';
      throw new JunctiondError(
        'internal',
        `junction_plan failed: ${result.hasTimedOut ? 'too slow' : detail.slice(0, 300)}`,
      );
    }
    await chown(outDir, 0, 0);
  }
}
