// SPDX-License-Identifier: Apache-2.0
// Lint rules of all TypeScript here. tools/eslint/boundaries.spec.ts shows that the boundaries really refuse.
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier/flat';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

import { ownRules } from './tools/eslint/own-rules.ts';

/** Lowest first; a type may import itself and what stands before it. */
const types = ['contracts', 'util', 'domain', 'adapter', 'app', 'e2e'];
const apps = ['gateway', 'provider', 'junctiond', 'scheduler-monitor'];

const upTo = (type) => types.slice(0, types.indexOf(type) + 1).map((name) => `type:${name}`);

const depConstraints = [
  ...types.map((type) => ({ sourceTag: `type:${type}`, onlyDependOnLibsWithTags: upTo(type) })),
  { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:tool', ...upTo('util')] },
  ...apps.map((app) => ({
    sourceTag: `scope:${app}`,
    onlyDependOnLibsWithTags: [`scope:${app}`, 'scope:shared', 'scope:contracts'],
  })),
  { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared', 'scope:contracts'] },
  { sourceTag: 'scope:contracts', onlyDependOnLibsWithTags: ['scope:contracts'] },
];

/** Packages that only one place may import. */
const guardedImports = [
  { group: ['@grpc/*', 'grpc-health-check'], home: 'libs/rpc', message: 'gRPC is reached through @junctiond/rpc.' },
  {
    group: ['ioredis', 'ioredis/*'],
    home: 'libs/function-state',
    message: 'Redis belongs to @junctiond/function-state.',
  },
  {
    group: ['@opentelemetry/*', '!@opentelemetry/api'],
    home: 'libs/telemetry',
    message: 'The OpenTelemetry SDK belongs to @junctiond/telemetry.',
  },
  {
    group: ['*.node', '**/*.node'],
    home: 'libs/native-binding',
    message: 'Only @junctiond/native-binding loads the addon.',
  },
];

/** An app exports nothing: others reach it over gRPC or HTTP. */
const noApp = {
  group: apps.flatMap((app) => [`@junctiond/${app}`, `@junctiond/${app}/*`]),
  message: 'No project imports an app.',
};

const testHelpers = {
  group: ['@junctiond/testing', '@jest/globals'],
  message: 'Test helpers belong in *.spec.ts and *.fixture.ts files.',
};

const testFiles = ['**/*.spec.ts', '**/*.fixture.ts', '**/test/**/*.ts', 'e2e/**/*.ts', 'libs/testing/**/*.ts'];

const importRule = (home, isTest) => [
  'error',
  {
    patterns: [
      noApp,
      ...guardedImports.filter((guard) => guard.home !== home).map(({ group, message }) => ({ group, message })),
      ...(isTest ? [] : [testHelpers]),
    ],
  },
];

const homes = guardedImports.map((guard) => guard.home);

const config = defineConfig(
  {
    ignores: [
      '**/dist',
      '**/build',
      '**/generated',
      '**/node_modules',
      '.nx',
      '.tools',
      '.cache',
      '.results',
      'functions/aes-node',
      'native',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // Nest modules are classes that carry only a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // noPropertyAccessFromIndexSignature of the compiler asks for the brackets.
      '@typescript-eslint/dot-notation': 'off',
      // Rules that ask for a style which is no clearer here: returning the result of a void call early, typed look-ups
      // by one type parameter, callbacks that may answer void or a promise of it,
      // option objects for parameters that are declared as a class, casts instead of `!`.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
    },
  },
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs'],
    plugins: { '@nx': nx, own: ownRules },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { allow: [], depConstraints, enforceBuildableLibDependency: false }],
      eqeqeq: 'error',
      // Parsers of outside bytes name control characters.
      'no-control-regex': 'off',
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'No default export: a name is the same everywhere.' },
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'Only libs/config reads the environment.',
        },
        {
          selector: 'MemberExpression[object.name=/^(describe|it|test)$/][property.name=/^(only|skip|todo)$/]',
          message: 'Every test runs.',
        },
      ],
      'no-restricted-imports': importRule('', false),
      'own/licence-header': 'error',
      'own/file-name': 'error',
    },
  },
  { files: testFiles, rules: { 'no-restricted-imports': importRule('', true) } },
  ...homes.flatMap((home) => [
    { files: [`${home}/**/*.ts`], rules: { 'no-restricted-imports': importRule(home, false) } },
    {
      files: [`${home}/**/*.spec.ts`, `${home}/**/*.fixture.ts`],
      rules: { 'no-restricted-imports': importRule(home, true) },
    },
  ]),
  {
    // Programs for people and scripts: they talk on the terminal and start other programs with their own environment.
    files: ['tools/**/*.ts', 'libs/*/tools/**/*.ts', 'functions/images/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['tools/**/*.ts', 'libs/*/tools/**/*.ts', 'functions/images/**/*.ts', 'libs/config/**/*.ts', ...testFiles],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'No default export: a name is the same everywhere.' },
        {
          selector: 'MemberExpression[object.name=/^(describe|it|test)$/][property.name=/^(only|skip|todo)$/]',
          message: 'Every test runs.',
        },
      ],
    },
  },
  {
    files: testFiles,
    rules: {
      // Stand-ins in tests need not await or carry a type of their own.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  prettier,
);

export { config as default };
