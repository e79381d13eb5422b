// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';

import { tallyJUnit, tallyJest } from './tally.ts';

describe('tallyJest', () => {
  it('counts tests, and suites that could not be loaded as failures', () => {
    const json =
      '{"numPassedTests":3,"numFailedTests":1,"numPendingTests":2,"numTodoTests":1,"numRuntimeErrorTestSuites":1}';
    expect(tallyJest(json)).toEqual({ passed: 3, failed: 2, skipped: 3 });
  });
});

describe('tallyJUnit', () => {
  it('reads what ctest writes', () => {
    const xml = `<testsuite name="x" tests="4" failures="1" disabled="1" skipped="1">
      <testcase name="a" classname="a" time="0.1" status="run"><system-out>a &lt;b&gt;</system-out></testcase>
      <testcase name="b" classname="b" time="0.1" status="fail"><failure message=""/><system-out></system-out></testcase>
      <testcase name="c" classname="c" time="0" status="notrun"><skipped message="SKIP"/><system-out></system-out></testcase>
      <testcase name="d" classname="d" time="0" status="disabled"><skipped message="Disabled"/></testcase>
    </testsuite>`;
    expect(tallyJUnit(xml)).toEqual({ passed: 1, failed: 1, skipped: 2 });
  });

  it('reads cases without a body, and errors', () => {
    const xml =
      '<testsuites><testsuite><testcase name="a"/><testcase name="b"><error/></testcase></testsuite></testsuites>';
    expect(tallyJUnit(xml)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });
});
