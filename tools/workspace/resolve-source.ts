// SPDX-License-Identifier: Apache-2.0
// A module hook for running the workspace's TypeScript as it is: `./x.js` finds `./x.ts`.
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Whether `url` is TypeScript of this workspace. */
export function isOwnSource(url: string): boolean {
  return url.startsWith('file:') && url.endsWith('.ts') && !url.includes('/node_modules/');
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    const parent = context.parentURL ?? '';
    if (/^\.{1,2}\/.*\.js$/.test(specifier) && isOwnSource(parent)) {
      const source = new URL(specifier.replace(/\.js$/, '.ts'), parent);
      if (existsSync(source)) return nextResolve(source.href, context);
    }
    return nextResolve(specifier, context);
  },
});
