// SPDX-License-Identifier: Apache-2.0
// Lints texts as if they stood in the files named: stdin [{"at","text"}], stdout, for each text, the rules it breaks.
// A program of its own, because ESLint does not run inside jest's module sandbox.
import { text } from 'node:stream/consumers';

import { ESLint } from 'eslint';

interface Sample {
  at: string;
  text: string;
}

const samples = JSON.parse(await text(process.stdin)) as Sample[];
const eslint = new ESLint();
const broken: (string | null)[][] = [];
for (const sample of samples) {
  const reports = await eslint.lintText(sample.text, { filePath: sample.at });
  broken.push(reports.flatMap((report) => report.messages.map((message) => message.ruleId)));
}
console.log(JSON.stringify(broken));
