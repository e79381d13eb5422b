// SPDX-License-Identifier: Apache-2.0
// Files from Debian packages, without installing them. Downloaded packages are kept, so that a later
// build has the same versions; removing the folder takes the newest ones.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

// Nothing that runs needs these.
const PRUNED = [
  'etc/alternatives',
  'etc/ld.so.conf.d',
  'etc/python3.11/sitecustomize.py',
  'usr/lib/python3/dist-packages/cryptography-38.0.4.egg-info',
  'usr/lib/python3.11/ensurepip',
  'usr/lib/python3.11/idlelib',
  'usr/lib/python3.11/lib2to3',
  'usr/lib/python3.11/pydoc_data',
  'usr/lib/python3.11/sitecustomize.py',
  'usr/lib/python3.11/tkinter',
  'usr/lib/python3.11/unittest',
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/share/apport',
  'usr/share/binfmts',
  'usr/share/bug',
  'usr/share/doc',
  'usr/share/doc-base',
  'usr/share/gcc',
  'usr/share/gdb',
  'usr/share/info',
  'usr/share/libc-bin',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/share/man',
  'usr/share/menu',
  'usr/share/perl5',
  'usr/share/python3',
  'usr/sbin',
];

// Debian's merged /usr: programs are found by either path.
const MERGED_FOLDERS = ['bin', 'lib', 'lib64', 'sbin'];

/** Downloads the packages that are not in `cache` yet, and returns the .deb file of each. */
export function fetchPackages(names: readonly string[], cache: string): string[] {
  mkdirSync(cache, { recursive: true });
  const missing = names.filter((name) => findPackage(name, cache) === undefined);
  if (missing.length > 0) {
    // In a folder of its own: an interrupted download must not look like a package.
    const draft = mkdtempSync(join(cache, 'draft-'));
    try {
      download(missing, draft);
      for (const name of readdirSync(draft)) renameSync(join(draft, name), join(cache, name));
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  return names.map((name) => {
    const file = findPackage(name, cache);
    if (file === undefined) throw new Error(`apt-get download ${name} gave no file`);
    return file;
  });
}

/** Unpacks .deb files below `root`, and removes what a function's image does not need. */
export function unpackPackages(files: readonly string[], root: string): void {
  for (const name of MERGED_FOLDERS) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const file of files) {
    // Not dpkg-deb -x: that would put folders in place of the links just made.
    const archive = `${root}.tar`;
    runCommand('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" > "$2"', 'sh', file, archive]);
    runCommand('tar', ['-x', '--keep-directory-symlink', '--no-same-owner', '-C', root, '-f', archive]);
    rmSync(archive);
  }
  for (const path of PRUNED) rmSync(join(root, path), { recursive: true, force: true });
}

/**
 * Compiles the Python modules below `root` with the Python found there, since at run time the image may
 * be read-only. Hash-based files: they hold no time, and are not compared with their source.
 */
export function compilePython(root: string): void {
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((path) => join(root, path));
  const python = ['--library-path', libraries.join(':'), join(root, 'usr/bin/python3.11')];
  const folders = ['usr/lib/python3.11', 'usr/lib/python3'].map((path) => join(root, path));
  const options = ['-q', '-j', '1', '-s', root, '-p', '/', '--invalidation-mode', 'unchecked-hash'];
  runCommand(join(root, 'lib64/ld-linux-x86-64.so.2'), [...python, '-m', 'compileall', ...options, ...folders], {
    // What it imports itself must not be compiled by the way: that would leave this folder's name in the files.
    env: { PYTHONHOME: join(root, 'usr'), PYTHONHASHSEED: '0', PYTHONDONTWRITEBYTECODE: '1' },
    isWholeEnv: true,
  });
}

function download(names: readonly string[], folder: string): void {
  const options = ['-q', '-o', 'APT::Sandbox::User=root', 'download', ...names];
  try {
    runCommand('apt-get', options, { cwd: folder });
  } catch {
    // The package lists are missing or out of date.
    runCommand('apt-get', ['-q', 'update']);
    runCommand('apt-get', options, { cwd: folder });
  }
}

function findPackage(name: string, cache: string): string | undefined {
  const file = readdirSync(cache).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
  return file === undefined ? undefined : join(cache, file);
}
