// SPDX-License-Identifier: Apache-2.0
// What `./junction test` runs, in order: what fails fast and often stands first.
import { join } from 'node:path';

/** The parts that --only and --skip name. */
export const testParts = ['build', 'lint', 'format', 'typecheck', 'unit', 'native', 'sanitize', 'e2e'] as const;
export type TestPart = (typeof testParts)[number];

export interface TestStep {
  readonly part: TestPart;
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Folder below .results to which its tests write; undefined: the step itself counts as one test. */
  readonly results?: string;
}

/** Every step of the parts, with the tools of this checkout. */
export function testPlan(root: string, parts: ReadonlySet<TestPart>, hasCache: boolean): TestStep[] {
  const node = process.execPath;
  const nxFile = join(root, 'node_modules/nx/dist/bin/nx.js');
  const cache = hasCache ? [] : ['--skip-nx-cache'];
  const nx = (...args: string[]): Pick<TestStep, 'command' | 'args'> => ({
    command: node,
    args: [nxFile, ...args, ...cache, '--output-style=static'],
  });
  const check = (name: string): Pick<TestStep, 'command' | 'args'> => ({
    command: node,
    args: [`tools/checks/check-${name}.ts`],
  });
  const steps: TestStep[] = [
    { part: 'build', name: 'lock file is whole', command: node, args: ['tools/workspace/complete-lock.ts', '--check'] },
    {
      part: 'build',
      name: 'build of apps, libs and functions',
      ...nx('run-many', '-t', 'build', '--exclude', 'native'),
    },
    { part: 'build', name: 'build of the data plane', ...nx('run', 'native:build') },
    { part: 'format', name: 'format', ...check('format') },
    { part: 'lint', name: 'licence lines', ...check('licence') },
    { part: 'lint', name: 'order of the C++ layers', ...check('cpp-layers') },
    { part: 'lint', name: 'C++ headers compile alone', ...check('cpp-headers') },
    { part: 'lint', name: 'lint of proto', command: node, args: ['node_modules/@bufbuild/buf/bin/buf', 'lint'] },
    { part: 'lint', name: 'lint of TypeScript', ...nx('run-many', '-t', 'lint', '--exclude', 'native') },
    { part: 'typecheck', name: 'typecheck', ...nx('run-many', '-t', 'typecheck') },
    { part: 'unit', name: 'unit tests', ...nx('run-many', '-t', 'test', '--exclude', 'native'), results: 'unit' },
    { part: 'native', name: 'native tests', ...nx('run', 'native:test'), results: 'native-debug' },
    {
      part: 'sanitize',
      name: 'native tests, ASan and UBSan',
      ...nx('run', 'native:test-asan'),
      results: 'native-asan',
    },
    // What shares memory with another thread or process. All of the native tests: nx run native:test-tsan.
    {
      part: 'sanitize',
      name: 'tests of NIC and links, TSan',
      ...nx('run', 'native:test-tsan-links'),
      results: 'native-tsan',
    },
    { part: 'e2e', name: 'end-to-end tests', ...nx('run', 'e2e:e2e'), results: 'e2e' },
  ];
  return steps.filter((each) => parts.has(each.part));
}
