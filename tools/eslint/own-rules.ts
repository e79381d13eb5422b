// SPDX-License-Identifier: Apache-2.0
// Lint rules of this project that no package offers.
import { basename } from 'node:path';

import type { Rule } from 'eslint';

/** The first line (after an optional `#!` line) is the licence line. */
const licenceHeader: Rule.RuleModule = {
  meta: { type: 'problem', schema: [], messages: { missing: 'The file does not open with its SPDX licence line.' } },
  create: (context) => ({
    Program(node) {
      const lines = context.sourceCode.lines;
      const first = lines[0]?.startsWith('#!') === true ? lines[1] : lines[0];
      if (first !== '// SPDX-License-Identifier: Apache-2.0') context.report({ node, messageId: 'missing' });
    },
  }),
};

/** Files are kebab-case with the role last: `deploy.handler.ts`, `instance.spec.ts`. */
const fileName: Rule.RuleModule = {
  meta: { type: 'problem', schema: [], messages: { bad: 'File name {{name}} is not kebab-case with dotted roles.' } },
  create: (context) => ({
    Program(node) {
      const name = basename(context.filename);
      const isGood = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$/.test(name);
      if (!isGood) context.report({ node, messageId: 'bad', data: { name } });
    },
  }),
};

export const ownRules = { rules: { 'licence-header': licenceHeader, 'file-name': fileName } };
