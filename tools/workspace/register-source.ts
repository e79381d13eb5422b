// SPDX-License-Identifier: Apache-2.0
// Module hooks that let Node.js run the apps from their sources: besides what resolve-source.ts does, decorators (which
// Node's own type stripping refuses) are translated by swc with the metadata that Nest needs.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

import { transformSync } from '@swc/core';

import { isOwnSource } from './resolve-source.ts';

registerHooks({
  load(url, context, nextLoad) {
    if (!isOwnSource(url)) return nextLoad(url, context);
    const file = fileURLToPath(url);
    const { code } = transformSync(readFileSync(file, 'utf8'), {
      filename: file,
      swcrc: false,
      sourceMaps: 'inline',
      module: { type: 'es6' },
      jsc: {
        target: 'es2024',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
