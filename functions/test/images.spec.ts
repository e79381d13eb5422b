// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { buildImage, isUpToDate, stampOf, writeStamp } from '../images/build-image.ts';
import { recipes } from '../images/recipes.ts';
import { readTree, writeTar } from '../images/tar.ts';
import { functionsRoot } from './running-program.fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'images-spec-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function recipe(name: string): (typeof recipes)[number] {
  const found = recipes.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no recipe ${name}`);
  return found;
}

function digestsBelow(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
  const digest = (path: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, path)))
      .digest('hex');
  return Object.fromEntries(files.sort().map((path) => [path, digest(path)]));
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe('build-images', () => {
  it.each(recipes.map(({ name }) => name))('builds %s byte for byte as elsewhere', (name) => {
    process.env['TMPDIR'] = scratch;
    delete process.env['PYTHONDONTWRITEBYTECODE'];
    const output = join(scratch, 'again');
    buildImage(recipe(name), { root: functionsRoot, output, packageCache: join(functionsRoot, '.cache/packages') });
    expect(digestsBelow(join(output, name))).toEqual(digestsBelow(join(functionsRoot, 'dist', name)));
  });

  it.each(recipes.map(({ name }) => name))('names every blob of %s by its digest', (name) => {
    const blobs = digestsBelow(join(functionsRoot, 'dist', name, 'blobs/sha256'));
    expect(Object.keys(blobs)).toEqual(Object.values(blobs));
  });

  it('writes a layout that skopeo reads, with the settings of the recipe', () => {
    const result = spawnSync('skopeo', ['inspect', '--config', `oci:${functionsRoot}/dist/http-watchdog:latest`]);
    const { config } = JSON.parse(result.stdout.toString()) as { config: Record<string, unknown> };
    expect(config['Entrypoint']).toEqual(['/usr/bin/fwatchdog']);
    expect(config['Env']).toContain('fprocess=/home/app/aes');
    expect(config['User']).toBe('1000');
    expect(config['WorkingDir']).toBe('/home/app');
    expect(config['ExposedPorts']).toEqual({ '8080/tcp': {} });
  });

  it('shares the layer of equal package lists', () => {
    const names = recipes.filter(({ packages }) => packages.length > 0).map(({ name }) => name);
    for (const name of names) {
      const index = readJson(join(functionsRoot, 'dist', name, 'index.json')) as { manifests: { digest: string }[] };
      const manifestFile = join(
        functionsRoot,
        'dist',
        name,
        'blobs',
        (index.manifests[0]?.digest ?? '').replace(':', '/'),
      );
      const manifest = readJson(manifestFile) as { layers: unknown[] };
      expect(manifest.layers).toHaveLength(2);
    }
  });

  it('makes archives that tar reads, with modes, owners and links', () => {
    const archive = join(scratch, 'some.tar');
    const owned = { uid: 1000, gid: 1001 };
    const long = `${'long-folder-name/'.repeat(8)}file`;
    writeFileSync(
      archive,
      writeTar([
        { path: 'b/link', mode: 0o777, ...owned, content: { kind: 'link', target: '../a' } },
        { path: 'a', mode: 0o4755, ...owned, content: { kind: 'file', bytes: Buffer.from('hello') } },
        { path: 'b', mode: 0o1777, ...owned, content: { kind: 'folder' } },
        { path: long, mode: 0o600, ...owned, content: { kind: 'file', bytes: Buffer.alloc(0) } },
      ]),
    );
    const listing = spawnSync('tar', ['-tv', '--numeric-owner', '--utc', '-f', archive]).stdout.toString();
    expect(listing.split('\n')).toEqual([
      '-rwsr-xr-x 1000/1001         5 1970-01-01 00:00 a',
      'drwxrwxrwt 1000/1001         0 1970-01-01 00:00 b/',
      'lrwxrwxrwx 1000/1001         0 1970-01-01 00:00 b/link -> ../a',
      `-rw------- 1000/1001         0 1970-01-01 00:00 ${long}`,
      '',
    ]);
  });

  it('reads a folder without following its links', () => {
    const folder = join(scratch, 'tree');
    mkdirSync(join(folder, 'usr/lib'), { recursive: true });
    writeFileSync(join(folder, 'usr/lib/file'), 'x', { mode: 0o640 });
    symlinkSync('usr/lib', join(folder, 'lib'));
    const entries = readTree(folder).map(({ path, mode, content }) => `${path} ${mode.toString(8)} ${content.kind}`);
    expect(entries).toEqual(['lib 777 link', 'usr 755 folder', 'usr/lib 755 folder', 'usr/lib/file 640 file']);
  });

  it('refuses a path that a header cannot hold', () => {
    const entry = { mode: 0o644, uid: 0, gid: 0, content: { kind: 'file', bytes: Buffer.alloc(0) } } as const;
    expect(() => writeTar([{ ...entry, path: 'x'.repeat(101) }])).toThrow('too long');
  });

  it('builds anew when a source, the recipe or a compiler changes, and only then', () => {
    const root = join(scratch, 'copy');
    const output = join(root, 'dist');
    mkdirSync(root);
    for (const path of ['images', 'aes', 'internal', 'go.mod']) {
      cpSync(join(functionsRoot, path), join(root, path), { recursive: true });
    }
    const stamp = () => stampOf(recipe('aes'), root, 'compiler 1');
    const first = stamp();
    expect(isUpToDate(recipe('aes'), first, output)).toBe(false);
    buildImage(recipe('aes'), { root, output, packageCache: join(scratch, 'no-packages') });
    writeStamp(recipe('aes'), first, output);
    expect(isUpToDate(recipe('aes'), stamp(), output)).toBe(true);

    expect(stampOf(recipe('aes'), root, 'compiler 2')).not.toBe(first);
    expect(stampOf({ ...recipe('aes'), cmd: ['x'] }, root, 'compiler 1')).not.toBe(first);
    writeFileSync(join(root, 'aes/more.go'), 'package main\n');
    expect(isUpToDate(recipe('aes'), stamp(), output)).toBe(false);
  });

  it('has layers whose uncompressed digest is the one in the configuration', () => {
    const folder = join(functionsRoot, 'dist/probe');
    const blob = (digest: string) => join(folder, 'blobs', digest.replace(':', '/'));
    const index = readJson(join(folder, 'index.json')) as { manifests: { digest: string }[] };
    const manifest = readJson(blob(index.manifests[0]?.digest ?? '')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    const config = readJson(blob(manifest.config.digest)) as { rootfs: { diff_ids: string[] } };
    const diffIds = manifest.layers.map(({ digest }) => {
      const archive = gunzipSync(readFileSync(blob(digest)));
      return `sha256:${createHash('sha256').update(archive).digest('hex')}`;
    });
    expect(config.rootfs.diff_ids).toEqual(diffIds);
  });
});
