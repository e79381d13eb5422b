// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildImage, isUpToDate, stampOf, writeStamp } from './build-image.ts';
import { compilerVersions } from './compile.ts';
import { recipes } from './recipes.ts';

const USAGE = `usage: build-images [options] [image…]

Makes the images of the functions and test fixtures (all of them where none is named) as OCI layout
folders with the tag "latest". What has not changed since the last build is left as it is.

  --output FOLDER   where to (functions/dist)
  --force           build also what has not changed
  --list            print the names of the images
  --help            print this`;

const root = resolve(import.meta.dirname, '..');

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', default: resolve(root, 'dist') },
      force: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.list) {
    console.log(recipes.map((recipe) => recipe.name).join('\n'));
    return 0;
  }
  const unknown = positionals.filter((name) => !recipes.some((recipe) => recipe.name === name));
  if (unknown.length > 0) {
    console.error(`unknown image: ${unknown.join(', ')}; build-images --list prints the known ones`);
    return 2;
  }
  const output = resolve(values.output);
  const compilers = compilerVersions();
  for (const recipe of recipes) {
    if (positionals.length > 0 && !positionals.includes(recipe.name)) continue;
    const stamp = stampOf(recipe, root, compilers);
    if (!values.force && isUpToDate(recipe, stamp, output)) {
      console.log(`${recipe.name}: unchanged`);
      continue;
    }
    const digest = buildImage(recipe, { root, output, packageCache: resolve(root, '.cache/packages') });
    writeStamp(recipe, stamp, output);
    console.log(`${recipe.name}: ${digest}`);
  }
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`build-images: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
