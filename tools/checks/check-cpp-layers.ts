// SPDX-License-Identifier: Apache-2.0
// Checks the layer order of all C++ under native/src: node tools/checks/check-cpp-layers.ts
import { readFileSync } from 'node:fs';

import { layerFaults } from './cpp-layers.ts';
import { sourceFiles } from './source-files.ts';

const files = sourceFiles(['native/src'], /\.(cc|h|S)$/);
const faults = files.flatMap((file) => layerFaults(file.slice('native/src/'.length), readFileSync(file, 'utf8')));
for (const fault of faults) console.error(`native/src/${fault}`);
console.log(`${files.length} files, ${faults.length} faults in the layer order`);
process.exitCode = faults.length === 0 ? 0 : 1;
