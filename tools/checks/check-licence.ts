// SPDX-License-Identifier: Apache-2.0
// Checks that each source file names its licence in one of its first two lines (a `#!` or `<?xml` line may stand
// before). TypeScript is checked by lint too, at once in the editor. node tools/checks/check-licence.ts
import { readFileSync } from 'node:fs';

import { sourceFiles } from './source-files.ts';

const sources = /(\.(ts|js|mjs|cc|h|S|go|py|proto|sh|cmake|lua)|(^|\/)CMakeLists\.txt|^junction|^\.ci\/run)$/;
const faults = sourceFiles(['.'], sources).filter((file) => {
  const head = readFileSync(file, 'utf8').split('\n', 2);
  return !head.some((line) => line.includes('SPDX-License-Identifier: Apache-2.0'));
});
for (const file of faults) console.error(`${file}: no SPDX licence line`);
console.log(`${faults.length} files without a licence line`);
process.exitCode = faults.length === 0 ? 0 : 1;
