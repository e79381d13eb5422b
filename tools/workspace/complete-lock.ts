// SPDX-License-Identifier: Apache-2.0
// Adds an entry to package-lock.json for each optional dependency that `npm install` left out (packages of other
// platforms for which the registry in use serves no metadata). Without them `npm ci` calls the lock out of date.
// With --check: changes nothing and fails if an entry is missing.
// The entries are placeholders: never installed here (os "none"); a registry that serves them replaces them at the next
// `npm install`.
import { readFileSync, writeFileSync } from 'node:fs';

interface LockEntry {
  version?: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  optionalDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, LockEntry>;
}

/** The places where Node.js looks for `name` from the package at `from`, nearest first. */
function lookupPaths(from: string, name: string): string[] {
  const places: string[] = [];
  let at = from;
  while (at !== '') {
    places.push(`${at}/node_modules/${name}`);
    const cut = at.lastIndexOf('node_modules/');
    at = cut <= 0 ? '' : at.slice(0, cut - 1);
  }
  places.push(`node_modules/${name}`);
  return places;
}

/** An exact version that satisfies the range as well as can be told from its text. */
function versionOf(range: string): string {
  const match = /\d+\.\d+\.\d+[-.\w+]*/.exec(range);
  return match?.[0] ?? '0.0.0';
}

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
const missing: string[] = [];
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = lookupPaths(from, name);
    if (places.some((place) => place in lock.packages)) continue;
    const cut = from.lastIndexOf('node_modules/');
    const parent = cut <= 0 ? '' : `${from.slice(0, cut - 1)}/`;
    const place = `${parent}node_modules/${name}`;
    missing.push(place);
    lock.packages[place] = { version: versionOf(range), optional: true, os: ['none'], cpu: ['none'] };
  }
}
if (missing.length > 0 && process.argv.includes('--check')) {
  console.error(`package-lock.json lacks ${missing.join(', ')}: run node tools/workspace/complete-lock.ts`);
  process.exit(1);
}
if (missing.length > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  lock.packages = Object.fromEntries(sorted);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`${missing.length} entries added to package-lock.json`);
