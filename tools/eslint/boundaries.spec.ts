// SPDX-License-Identifier: Apache-2.0
// Lints fixture lines as if they stood in a file of a given project: what must be refused is refused, by the rule that
// should do it, and what is allowed passes.
import { spawnSync } from 'node:child_process';

import { beforeAll, describe, expect, it } from '@jest/globals';

const boundaries = '@nx/enforce-module-boundaries';
const restricted = 'no-restricted-imports';
const syntax = 'no-restricted-syntax';

const refused: [what: string, at: string, code: string, rule: string][] = [
  ['an app that imports an app', 'apps/provider/src/main.ts', "import '@junctiond/gateway';", restricted],
  ['the same by a path', 'apps/provider/src/main.ts', "import '../../gateway/src/main.js';", boundaries],
  ['a lib that imports an app', 'libs/rpc/src/index.ts', "import '../../../apps/gateway/src/main.js';", boundaries],
  ['a domain that imports an adapter', 'libs/instance-model/src/index.ts', "import '@junctiond/rpc';", boundaries],
  ['a util that imports a domain', 'libs/config/src/index.ts', "import '@junctiond/instance-model';", boundaries],
  ['contracts that import a util', 'libs/contracts/src/index.ts', "import '@junctiond/config';", boundaries],
  ['an e2e test that imports an app', 'e2e/src/index.ts', "import '../../apps/gateway/src/main.js';", boundaries],
  ['gRPC outside the rpc lib', 'apps/gateway/src/main.ts', "import '@grpc/grpc-js';", restricted],
  ['Redis outside the state lib', 'apps/provider/src/main.ts', "import 'ioredis';", restricted],
  ['an SDK outside the telemetry lib', 'libs/rpc/src/index.ts', "import '@opentelemetry/sdk-metrics';", restricted],
  ['the addon outside its lib', 'apps/gateway/src/main.ts', "import '../native/junction.node';", restricted],
  ['a test helper in production code', 'libs/rpc/src/index.ts', "import '@junctiond/testing';", restricted],
  ['the environment', 'apps/gateway/src/main.ts', 'export const all = process.env;', syntax],
  ['a default export', 'libs/rpc/src/index.ts', 'export default 1;', syntax],
  ['a skipped test', 'libs/rpc/src/index.ts', 'it.skip();', syntax],
];

const allowed: [what: string, at: string, code: string][] = [
  ['an app that imports an adapter', 'apps/provider/src/main.ts', "import '@junctiond/function-state';"],
  ['an adapter that imports contracts', 'libs/rpc/src/index.ts', "import '@junctiond/contracts';"],
  ['gRPC in the rpc lib', 'libs/rpc/src/index.ts', "import '@grpc/grpc-js';"],
  ['the OpenTelemetry API anywhere', 'libs/rpc/src/index.ts', "import '@opentelemetry/api';"],
  ['the environment in the config lib', 'libs/config/src/index.ts', 'export const all = process.env;'],
];

const header = '// SPDX-License-Identifier: Apache-2.0\n';
const found = new Map<string, string[]>();

beforeAll(() => {
  const samples = [
    ...[...refused, ...allowed].map(([what, at, code]) => ({ what, at, text: `${header}${code}\n` })),
    { what: 'no licence line', at: 'libs/rpc/src/index.ts', text: 'export {};\n' },
  ];
  const result = spawnSync(process.execPath, ['tools/eslint/lint-texts.ts'], {
    input: JSON.stringify(samples),
    encoding: 'utf8',
  });
  const broken = JSON.parse(result.stdout) as string[][];
  samples.forEach((sample, index) => found.set(sample.what, broken[index] ?? []));
});

describe('the lint rules refuse', () => {
  it.each(refused)('%s', (what, _at, _code, rule) => {
    expect(found.get(what)).toContain(rule);
  });

  it('a file without the licence line', () => {
    expect(found.get('no licence line')).toEqual(['own/licence-header']);
  });
});

describe('the lint rules allow', () => {
  it.each(allowed)('%s', (what) => {
    expect(found.get(what)).toEqual([]);
  });
});
