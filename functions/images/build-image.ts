// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { APP_USER, baseFiles } from './base-files.ts';
import { compileCpp, compileGo } from './compile.ts';
import { compilePython, fetchPackages, unpackPackages } from './debian.ts';
import { makeLayer, writeLayout } from './oci-layout.ts';
import type { ImageConfig, Layer } from './oci-layout.ts';
import type { ImageFile, Recipe, Source } from './recipe.ts';
import { readTree, writeTar } from './tar.ts';
import type { TarEntry } from './tar.ts';

export interface BuildPlaces {
  /** This project's folder: sources are named from here. */
  readonly root: string;
  /** Gets `<name>/` for each image and `bin/` with the compiled programs. */
  readonly output: string;
  /** Downloaded Debian packages. */
  readonly packageCache: string;
}

/** Builds the image and returns its manifest's digest. */
export function buildImage(recipe: Recipe, places: BuildPlaces): string {
  const layers: Layer[] = [];
  if (recipe.packages.length > 0) layers.push(packagesLayer(recipe.packages, places.packageCache));
  const entries = [...baseFiles(), ...recipe.files.flatMap((file) => withParents(fileEntry(file, places)))];
  layers.push(makeLayer(writeTar(withoutRepeats(entries)), `files of ${recipe.name}`));
  return writeLayout(join(places.output, recipe.name), 'latest', layers, imageConfig(recipe));
}

/** A digest of everything local that the image depends on. */
export function stampOf(recipe: Recipe, root: string, compilers: string): string {
  const hash = createHash('sha256').update(JSON.stringify(recipe)).update(compilers);
  const paths = recipe.files.flatMap((file) => sourcePaths(file.source));
  for (const path of new Set(['images', ...paths])) {
    for (const file of filesBelow(join(root, path))) {
      hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
    }
  }
  return hash.digest('hex');
}

function sourcePaths(source: Source): string[] {
  if (source.kind === 'file') return [source.path];
  return source.kind === 'go' ? [source.folder, 'internal', 'go.mod'] : [source.folder];
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .sort();
}

// Images share the layer of a package list: it is unpacked and compressed once a run.
const packagesLayers = new Map<string, Layer>();

function packagesLayer(names: readonly string[], cache: string): Layer {
  const list = names.toSorted().join(' ');
  const known = packagesLayers.get(list);
  if (known !== undefined) return known;
  const scratch = mkdtempSync(join(tmpdir(), 'function-image-'));
  try {
    const tree = join(scratch, 'root');
    mkdirSync(tree);
    unpackPackages(fetchPackages(names, cache), tree);
    if (existsSync(join(tree, 'usr/bin/python3.11'))) compilePython(tree);
    const layer = makeLayer(writeTar(readTree(tree)), `Debian packages: ${list}`);
    packagesLayers.set(list, layer);
    return layer;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function fileEntry(file: ImageFile, places: BuildPlaces): TarEntry {
  const bytes = readFileSync(materialise(file.source, places));
  return { path: file.path, mode: file.mode, uid: 0, gid: 0, content: { kind: 'file', bytes } };
}

/** The path on the host of what the source names; compiled first where it must be. */
function materialise(source: Source, places: BuildPlaces): string {
  if (source.kind === 'file') return join(places.root, source.path);
  const output = join(places.output, 'bin', source.folder.replace('fixtures/', ''));
  if (source.kind === 'go') compileGo(places.root, source.folder, output);
  else compileCpp(places.root, source.folder, source.libraries, output);
  return output;
}

function withParents(entry: TarEntry): TarEntry[] {
  const parents: TarEntry[] = [];
  for (let path = dirname(entry.path); path !== '.'; path = dirname(path)) {
    parents.push({ path, mode: 0o755, uid: 0, gid: 0, content: { kind: 'folder' } });
  }
  return [...parents, entry];
}

/** The first of several entries with one path counts. */
function withoutRepeats(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) if (!byPath.has(entry.path)) byPath.set(entry.path, entry);
  return [...byPath.values()];
}

function imageConfig(recipe: Recipe): ImageConfig {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: `/${APP_USER.home}`, ...recipe.env };
  return {
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    Entrypoint: recipe.entrypoint,
    Cmd: recipe.cmd,
    User: String(APP_USER.uid),
    WorkingDir: `/${APP_USER.home}`,
    ExposedPorts: { '8080/tcp': {} },
  };
}

const STAMPS = '.stamps';

/** Whether the image at its place was built from just this. */
export function isUpToDate(recipe: Recipe, stamp: string, output: string): boolean {
  const file = join(output, STAMPS, recipe.name);
  const wasBuilt = existsSync(file) && existsSync(join(output, recipe.name, 'index.json'));
  return wasBuilt && readFileSync(file, 'utf8') === stamp;
}

/** Remembers what the image was built from. */
export function writeStamp(recipe: Recipe, stamp: string, output: string): void {
  mkdirSync(join(output, STAMPS), { recursive: true });
  writeFileSync(join(output, STAMPS, recipe.name), stamp);
}
