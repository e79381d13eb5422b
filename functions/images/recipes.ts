// SPDX-License-Identifier: Apache-2.0
import type { ImageFile, Recipe } from './recipe.ts';

const LIBC_PACKAGES = ['libc6', 'libgcc-s1'];
const PYTHON_PACKAGES = [
  ...LIBC_PACKAGES,
  'libexpat1',
  'libffi8',
  'libpython3.11-minimal',
  'libpython3.11-stdlib',
  'libssl3',
  'python3-cffi-backend',
  'python3-cryptography',
  'python3.11-minimal',
  'zlib1g',
];
// What `sh` and the usual text tools need: a process per request runs these.
const SHELL_PACKAGES = [
  ...LIBC_PACKAGES,
  'coreutils',
  'dash',
  'libacl1',
  'libattr1',
  'libgmp10',
  'libpcre2-8-0',
  'libselinux1',
  'libssl3',
];

function goProgram(path: string, folder: string): ImageFile {
  return { path, source: { kind: 'go', folder }, mode: 0o755 };
}

function file(path: string, source: string, mode: number): ImageFile {
  return { path, source: { kind: 'file', path: source }, mode };
}

/** All images that `build-images` knows. */
export const recipes: readonly Recipe[] = [
  {
    name: 'aes',
    packages: [],
    files: [goProgram('home/app/aes', 'aes')],
    entrypoint: ['/home/app/aes'],
    cmd: [],
    env: {},
  },
  {
    name: 'aes-cpp',
    packages: [...LIBC_PACKAGES, 'libssl3', 'libstdc++6'],
    files: [
      {
        path: 'home/app/aes-cpp',
        source: { kind: 'cpp', folder: 'aes-cpp', libraries: ['crypto'] },
        mode: 0o755,
      },
    ],
    entrypoint: ['/home/app/aes-cpp'],
    cmd: [],
    env: {},
  },
  {
    name: 'aes-python',
    packages: PYTHON_PACKAGES,
    files: [file('home/app/server.py', 'aes-python/server.py', 0o644)],
    entrypoint: ['/usr/bin/python3.11', '/home/app/server.py'],
    cmd: [],
    env: {},
  },
  {
    name: 'aes-node',
    packages: [...LIBC_PACKAGES, 'libstdc++6'],
    files: [
      file('usr/local/bin/node', '../.tools/node/bin/node', 0o755),
      file('home/app/server.mjs', 'aes-node/server.mjs', 0o644),
    ],
    entrypoint: ['node'],
    cmd: ['server.mjs'],
    env: {},
  },
  {
    name: 'probe',
    packages: [],
    files: [goProgram('home/app/probe', 'fixtures/probe')],
    entrypoint: ['/home/app/probe'],
    cmd: ['from-cmd'],
    env: { PROBE_IMAGE_ENV: 'set by the image' },
  },
  {
    name: 'http-watchdog',
    packages: [],
    files: [goProgram('usr/bin/fwatchdog', 'fixtures/http-watchdog'), goProgram('home/app/aes', 'aes')],
    entrypoint: ['/usr/bin/fwatchdog'],
    cmd: [],
    env: { fprocess: '/home/app/aes', http_upstream_url: 'http://127.0.0.1:8082', PORT: '8082' },
  },
  {
    name: 'fork-watchdog',
    packages: SHELL_PACKAGES,
    files: [
      goProgram('usr/bin/fwatchdog', 'fixtures/fork-watchdog'),
      file('home/app/word-count.sh', 'fixtures/fork-watchdog/word-count.sh', 0o755),
    ],
    entrypoint: ['/usr/bin/fwatchdog'],
    cmd: [],
    env: { fprocess: 'tr a-z A-Z' },
  },
];
