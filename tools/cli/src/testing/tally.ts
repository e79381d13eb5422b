// SPDX-License-Identifier: Apache-2.0
// Sums up results: jest's JSON (`jest --json`) and JUnit XML (ctest, and whoever else writes it).

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0 };

export function add(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

interface JestReport {
  numPassedTests?: number;
  numFailedTests?: number;
  numPendingTests?: number;
  numTodoTests?: number;
  numRuntimeErrorTestSuites?: number;
}

/** A suite that could not be loaded counts as one failure: its tests did not run. */
export function tallyJest(json: string): Tally {
  const report = JSON.parse(json) as JestReport;
  return {
    passed: report.numPassedTests ?? 0,
    failed: (report.numFailedTests ?? 0) + (report.numRuntimeErrorTestSuites ?? 0),
    skipped: (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0),
  };
}

/** Counts the test cases themselves: the sums in the suites' attributes mean different things to different writers. */
export function tallyJUnit(xml: string): Tally {
  let tally = nothing;
  for (const [, attributes = '', body = ''] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    // ctest marks its cases by an attribute, others by an element.
    const status = /\bstatus="(\w+)"/.exec(attributes)?.[1];
    const isFailed = /<(failure|error)\b/.test(body) || status === 'fail';
    const isSkipped = /<skipped\b/.test(body) || status === 'disabled' || status === 'notrun';
    tally = add(tally, {
      passed: isFailed || isSkipped ? 0 : 1,
      failed: isFailed ? 1 : 0,
      skipped: !isFailed && isSkipped ? 1 : 0,
    });
  }
  return tally;
}
