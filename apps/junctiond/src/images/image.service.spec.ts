// SPDX-License-Identifier: Apache-2.0
// With the real skopeo and umoci on layouts and archives of the test's own folder; as root, as junctiond runs.
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type CommandOptions, type RunCommand, runCommand } from '../command.js';
import { ImageCache } from './image-cache.js';
import { ImageIndex } from './image-index.js';
import { ImageService } from './image.service.js';
import { addToLayout } from './oci-layout.fixture.js';
import { Skopeo } from './skopeo.js';
import { Umoci } from './umoci.js';

const run = promisify(execFile);
const noDigest = `sha256:${'0'.repeat(64)}`;

let folder: string;
let commands: CommandOptions[];
let services: ImageService[];
/** Stands in for junction_plan. */
let planner: { stamp: () => Promise<string | undefined>; plan: (rootfsDir: string, outDir: string) => Promise<void> };
let now = 1_000_000_000_000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-service-'));
  commands = [];
  services = [];
  planner = { stamp: () => Promise.resolve(undefined), plan: () => Promise.resolve() };
});

afterEach(async () => {
  await Promise.all(services.map((service) => service.close()));
  await rm(folder, { recursive: true });
});

const imagesDir = (): string => join(folder, 'images');
const layout = (): string => join(folder, 'layout');
const recordingRun: RunCommand = (options) => {
  commands.push(options);
  return runCommand(options);
};
const ran = (program: string): number => commands.filter(({ file }) => file === program).length;

async function openService(options: { bootId?: string; run?: RunCommand } = {}): Promise<ImageService> {
  const execute = options.run ?? recordingRun;
  const cache = new ImageCache(imagesDir(), options.bootId ?? 'boot-1', execute);
  const service = new ImageService({
    cache,
    index: new ImageIndex(join(folder, 'references.json')),
    skopeo: new Skopeo({ file: 'skopeo', insecureRegistries: [], timeoutMs: 60_000, tmpDir: cache.tmpDir }, execute),
    umoci: new Umoci({ file: 'umoci', timeoutMs: 60_000 }, execute),
    planner,
    observer: { imageBrought: () => undefined, imageTrouble: () => undefined },
    now: () => now,
  });
  services.push(service);
  await service.open();
  return service;
}

async function rootfsOf(service: ImageService, reference: string): Promise<string> {
  const lease = await service.acquire(reference);
  lease.release();
  return lease.rootfsDir;
}

const leftOvers = async (): Promise<string[]> => readdir(join(imagesDir(), 'tmp'));

describe('ImageService', () => {
  it('unpacks a layout with its owners, modes and configuration', async () => {
    const digest = await addToLayout(layout(), {
      tag: 'v1',
      layers: [[{ name: 'bin/server', content: 'hello', mode: 0o4750, uid: 12, gid: 34 }]],
      config: { Entrypoint: ['/bin/server'], Env: ['A=1'], User: '12' },
    });
    const service = await openService();
    const summary = await service.ensure(`oci:${layout()}:v1`);
    expect(summary).toMatchObject({ digest, reference: `oci:${layout()}:v1`, users: 0, lastUsedAtMs: now });
    expect(summary.sizeBytes).toBeGreaterThan(0);

    const lease = await service.acquire(layout());
    expect(lease.config).toMatchObject({ entrypoint: ['/bin/server'], env: { A: '1' }, user: '12' });
    const info = await stat(join(lease.rootfsDir, 'bin/server'));
    expect([info.uid, info.gid, info.mode & 0o7777]).toEqual([12, 34, 0o4750]);
    expect(service.list()).toMatchObject([{ digest, users: 1 }]);
    await expect(leftOvers()).resolves.toEqual([]);
  });

  it('applies whiteouts of files and of whole folders', async () => {
    await addToLayout(layout(), {
      layers: [
        [
          { name: 'keep', content: '1' },
          { name: 'gone', content: '1' },
          { name: 'dir/a', content: '1' },
          { name: 'dir/b', content: '1' },
        ],
        [{ name: '.wh.gone' }, { name: 'dir/.wh..wh..opq' }, { name: 'dir/c', content: '2' }],
      ],
    });
    const rootfs = await rootfsOf(await openService(), layout());
    await expect(readdir(rootfs)).resolves.toEqual(['dir', 'keep']);
    await expect(readdir(join(rootfs, 'dir'))).resolves.toEqual(['c']);
  });

  it('shares one unpack among all who ask at once', async () => {
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const service = await openService();
    const all = await Promise.all(Array.from({ length: 10 }, () => service.ensure(layout())));
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(1);
    expect(ran('umoci')).toBe(1);
    expect(ran('skopeo')).toBe(1);
  });

  it('sees that a tag means another image by now, and keeps the old one for who pinned it', async () => {
    const first = await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'one' }]] });
    const service = await openService();
    await service.ensure(layout());
    const second = await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'two' }]] });
    await expect(service.ensure(layout())).resolves.toMatchObject({ digest: second });
    await expect(readdir(await rootfsOf(service, layout()))).resolves.toEqual(['two']);
    await expect(readdir(await rootfsOf(service, `${layout()}@${first}`))).resolves.toEqual(['one']);
    await expect(service.ensure(`${layout()}@${first}`)).resolves.toMatchObject({ digest: first });
  });

  it('acquires what it knows without running or reading anything', async () => {
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const service = await openService();
    const { digest } = await service.ensure(layout());
    const before = commands.length;
    await rm(layout(), { recursive: true });
    await expect(service.acquire(layout())).resolves.toMatchObject({ digest });
    await expect(service.acquire(`any.host/thing@${digest}`)).resolves.toMatchObject({ digest });
    expect(commands.length).toBe(before);
  });

  it('brings archives and reads them again only when they changed', async () => {
    const digest = await addToLayout(layout(), { tag: 'v1', layers: [[{ name: 'a', content: 'x' }]] });
    const ociArchive = join(folder, 'image.tar');
    const dockerArchive = join(folder, 'docker.tar');
    await run('skopeo', ['copy', '--quiet', `oci:${layout()}:v1`, `oci-archive:${ociArchive}:v1`]);
    await run('skopeo', ['copy', '--quiet', `oci:${layout()}:v1`, `docker-archive:${dockerArchive}:x:v1`]);
    const service = await openService();
    await expect(service.ensure(`oci-archive:${ociArchive}:v1`)).resolves.toMatchObject({ digest });
    await expect(readdir(await rootfsOf(service, `docker-archive:${dockerArchive}`))).resolves.toEqual(['a']);

    const before = ran('skopeo');
    await service.ensure(`oci-archive:${ociArchive}:v1`);
    expect(ran('skopeo')).toBe(before);

    await rm(ociArchive);
    const changed = await addToLayout(layout(), { tag: 'v1', layers: [[{ name: 'b' }]] });
    await run('skopeo', ['copy', '--quiet', `oci:${layout()}:v1`, `oci-archive:${ociArchive}:v1`]);
    await expect(service.ensure(`oci-archive:${ociArchive}:v1`)).resolves.toMatchObject({ digest: changed });
  });

  it.each([
    ['a/../../escape', undefined],
    ['../escape', undefined],
    ['/escape', undefined],
  ])('keeps a layer with the name %s inside', async (name) => {
    await addToLayout(layout(), { layers: [[{ name, content: 'bad' }]] });
    const service = await openService();
    await service.ensure(layout()).catch(() => undefined);
    const unpacked = await readdir(join(imagesDir(), 'unpacked'));
    const above = [folder, imagesDir(), join(imagesDir(), 'tmp'), join(imagesDir(), 'unpacked'), '/'];
    for (const dir of [...above, ...unpacked.map((image) => join(imagesDir(), 'unpacked', image))]) {
      await expect(access(join(dir, 'escape'))).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });

  it('keeps what goes through a symbolic link inside', async () => {
    const outside = join(folder, 'outside');
    await mkdir(outside);
    await addToLayout(layout(), {
      layers: [[{ name: 'link', type: '2', link: outside }], [{ name: 'link/escape', content: 'bad' }]],
    });
    const service = await openService();
    await service.ensure(layout()).catch(() => undefined);
    await expect(readdir(outside)).resolves.toEqual([]);
  });

  it('cannot be made to take a file of the host by a hard link', async () => {
    const secret = join(folder, 'secret');
    await writeFile(secret, 'hush');
    await addToLayout(layout(), {
      layers: [[{ name: 'stolen', type: '1', link: `../../../../../../../..${secret}` }]],
    });
    const service = await openService();
    await expect(service.ensure(layout())).rejects.toMatchObject({ kind: 'invalid_argument' });
    expect((await stat(secret)).nlink).toBe(1);
    await expect(leftOvers()).resolves.toEqual([]);
  });

  it('refuses a layer whose content is not what its digest says', async () => {
    await addToLayout(layout(), { layers: [[{ name: 'a', content: 'x'.repeat(10_000) }]] });
    const blobs = join(layout(), 'blobs/sha256');
    const sizes = await Promise.all(
      (await readdir(blobs)).map(async (name) => ({ name, text: await readFile(join(blobs, name)) })),
    );
    const layer = sizes.find(({ text }) => text[0] === 0x1f);
    await writeFile(join(blobs, layer?.name ?? ''), Buffer.from('tampered'));
    const service = await openService();
    await expect(service.ensure(layout())).rejects.toMatchObject({ kind: 'invalid_argument' });
    await expect(leftOvers()).resolves.toEqual([]);
    expect(service.list()).toEqual([]);
  });

  it.each([
    [() => 'oci:/does/not/exist', 'not_found'],
    [() => `oci:${layout()}:none`, 'not_found'],
    [() => `${layout()}@${noDigest}`, 'not_found'],
    [() => 'oci-archive:/does/not/exist.tar', 'not_found'],
    [() => `oci-archive:${folder}`, 'invalid_argument'],
    [() => 'oci-archive:/etc/passwd', 'invalid_argument'],
    [() => 'docker-archive:/etc/passwd', 'invalid_argument'],
    [() => 'docker-archive:/dev/zero', 'invalid_argument'],
    [() => 'not an image', 'invalid_argument'],
    [() => '127.0.0.1:1/no/registry:here', 'unavailable'],
  ])('says what is wrong with image %#', async (reference, kind) => {
    await addToLayout(layout(), { tag: 'v1', layers: [[{ name: 'a' }]] });
    const service = await openService();
    const failure = service.ensure(reference());
    await expect(failure).rejects.toMatchObject({ kind });
    await expect(leftOvers()).resolves.toEqual([]);
  });

  it('does not give a damaged image configuration to anyone', async () => {
    await addToLayout(layout(), { layers: [[{ name: 'a' }]], config: { Entrypoint: 'not a list' } });
    await expect((await openService()).ensure(layout())).rejects.toMatchObject({ kind: 'invalid_argument' });
  });

  it('removes what nobody uses and what was unused for long, with the blobs', async () => {
    const blobs = (): Promise<string[]> => readdir(join(imagesDir(), 'blobs/sha256'));
    const service = await openService();
    await addToLayout(layout(), { tag: 'a', layers: [[{ name: 'base', content: 'b' }], [{ name: 'a' }]] });
    await addToLayout(layout(), { tag: 'b', layers: [[{ name: 'base', content: 'b' }], [{ name: 'b' }]] });
    const a = await service.ensure(`${layout()}:a`);
    const b = await service.ensure(`${layout()}:b`);
    await expect(blobs()).resolves.toHaveLength(7);
    const lease = await service.acquire(`${layout()}:a`);
    await expect(service.remove(a.digest)).rejects.toMatchObject({ kind: 'failed_precondition' });
    await expect(service.remove(noDigest)).rejects.toMatchObject({ kind: 'not_found' });

    await expect(service.collectGarbage(60_000)).resolves.toMatchObject({ removed: [] });
    now += 61_000;
    const collected = await service.collectGarbage(60_000);
    expect(collected.removed).toEqual([b.digest]);
    expect(collected.freedBytes).toBeGreaterThan(0);
    await expect(blobs()).resolves.toHaveLength(4);

    lease.release();
    lease.release();
    await service.remove(a.digest);
    expect(service.list()).toEqual([]);
    await expect(blobs()).resolves.toEqual([]);
    await expect(service.ensure(`${layout()}:a`)).resolves.toMatchObject({ digest: a.digest });
  });

  it('keeps images, their use and what references mean over a restart', async () => {
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const { digest, sizeBytes } = await (await openService()).ensure(layout());
    const before = commands.length;
    const service = await openService();
    expect(service.list()).toMatchObject([{ digest, sizeBytes, users: 0, lastUsedAtMs: now }]);
    await rm(layout(), { recursive: true });
    await expect(service.acquire(layout())).resolves.toMatchObject({ digest });
    expect(service.hold(digest)).toMatchObject({ digest });
    expect(service.hold(noDigest)).toBeUndefined();
    expect(commands.slice(before).filter(({ file }) => file !== 'sync')).toEqual([]);
  });

  it('has the programs of an image planned once, and again by another planner', async () => {
    const planned: string[] = [];
    const planWith = (stamp: string): void => {
      planner = {
        stamp: () => Promise.resolve(stamp),
        plan: async (rootfsDir, outDir) => {
          planned.push(stamp);
          await access(join(rootfsDir, 'a'));
          await mkdir(outDir);
          await writeFile(join(outDir, 'x.plan'), stamp);
        },
      };
    };
    const planOf = async (service: ImageService, digest: string): Promise<string> =>
      readFile(join(service.dirsOf(digest).plansDir ?? '', 'x.plan'), 'utf8');
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });

    planWith('one');
    const first = await openService();
    const { digest } = await first.ensure(layout());
    await expect(planOf(first, digest)).resolves.toBe('one');
    const second = await openService();
    await second.close();
    await expect(planOf(second, digest)).resolves.toBe('one');
    expect(planned).toEqual(['one']);

    planWith('two');
    const third = await openService();
    await third.close();
    await expect(planOf(third, digest)).resolves.toBe('two');
    expect(planned).toEqual(['one', 'two']);
    await expect(leftOvers()).resolves.toEqual([]);
  });

  it('serves without plans when they cannot be made', async () => {
    planner = { stamp: () => Promise.resolve('one'), plan: () => Promise.reject(new Error('no')) };
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const service = await openService();
    const { digest } = await service.ensure(layout());
    expect(service.dirsOf(digest)).not.toHaveProperty('plansDir');
  });

  it('drops half an image that a crash left', async () => {
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const { digest } = await (await openService()).ensure(layout());
    await mkdir(join(imagesDir(), 'tmp/half/rootfs'), { recursive: true });
    await mkdir(join(imagesDir(), 'unpacked', 'f'.repeat(64), 'rootfs'), { recursive: true });
    const service = await openService();
    expect(service.list()).toMatchObject([{ digest }]);
    await expect(leftOvers()).resolves.toEqual([]);
    await expect(readdir(join(imagesDir(), 'unpacked'))).resolves.toEqual([digest.slice('sha256:'.length)]);
  });

  it('trusts an image of an earlier boot only when its files were brought to the disk', async () => {
    await addToLayout(layout(), { tag: 'latest', layers: [[{ name: 'a' }]] });
    const unsynced: RunCommand = (options) =>
      runCommand(options.file === 'sync' ? { ...options, file: 'false', args: [] } : options);
    const first = await openService({ run: unsynced });
    await first.ensure(layout());
    await first.close();
    expect((await openService({ bootId: 'boot-1' })).list()).toHaveLength(1);
    expect((await openService({ bootId: 'boot-2' })).list()).toHaveLength(0);
  });
});
