// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';

import { runLogged, step } from '../terminal/progress.ts';

/** Where the output of long steps goes. */
export function stepLog(root: string, name: string): string {
  return join(root, '.results/logs', `${name}.log`);
}

/** Builds everything that a stack runs, and the image of the AES function. nx skips what has not changed. */
export async function buildStack(root: string): Promise<void> {
  await step('building apps and libs', () =>
    runNx(root, 'build', ['run-many', '-t', 'build', '--exclude', 'native,functions']),
  );
  await buildDataPlane(root);
}

/** The part of it that runs functions without the apps around: the data plane, its measuring programs and the AES function. */
export async function buildDataPlane(root: string): Promise<void> {
  await step('building the data plane', () => runNx(root, 'build-native', ['run', 'native:build']));
  await step('building the image of the AES function', () =>
    runLogged(join(root, 'functions/build-images'), ['aes'], { cwd: root, logFile: stepLog(root, 'build-aes') }),
  );
}

function runNx(root: string, name: string, args: string[]): Promise<void> {
  const nx = join(root, 'node_modules/nx/dist/bin/nx.js');
  return runLogged(process.execPath, [nx, ...args], { cwd: root, logFile: stepLog(root, name) });
}
