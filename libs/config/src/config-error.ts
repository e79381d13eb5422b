// SPDX-License-Identifier: Apache-2.0

/** The configuration of an app is unusable; `faults` lists everything wrong with it, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  readonly app: string;
  readonly faults: readonly string[];

  constructor(app: string, faults: readonly string[]) {
    super(`${app}: ${faults.length} configuration fault${faults.length === 1 ? '' : 's'}:\n  ${faults.join('\n  ')}`);
    this.app = app;
    this.faults = faults;
  }
}
