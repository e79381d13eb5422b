// SPDX-License-Identifier: Apache-2.0
// One configuration for all projects; tools/workspace/run-jest.ts adds the root directory of the one to test.

const config = {
  testEnvironment: 'node',
  // Workspace libraries are taken from their sources, so that a test needs no build.
  testEnvironmentOptions: { customExportConditions: ['@junctiond/source', 'node', 'import', 'default'] },
  testMatch: ['<rootDir>/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/build/', '/.tools/', '/.nx/'],
  modulePathIgnorePatterns: ['/dist/', '/.tools/', '/.nx/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  testTimeout: 60_000,
};

export { config as default };
